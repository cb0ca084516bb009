import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import { findGroup, formatHelp, formatOverview, parseCommandLine, type Verb } from './command-line.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { VERBS } from './verbs/index.ts';

const verb: Verb = {
  name: 'fleet start',
  positionals: '[name]',
  summary: 'start it',
  options: {
    count: { type: 'string', value: 'n', default: '3', doc: 'how many' },
    fast: { type: 'boolean', doc: 'soon' },
  },
  examples: ['sefleet fleet start'],
  run: () => Promise.resolve(EXIT_CODES.passed),
};
const isUsage = (error: unknown): boolean => isSefleetError(error, 'CLI_USAGE') && error.fault === 'caller';

test('finds a verb of two words and its options', () => {
  const { parsed, help } = parseCommandLine([verb], ['fleet', 'start', 'a', '--count', '7', '--fast']);
  assert.equal(parsed.integer('count', 1, 10), 7);
  assert.equal(parsed.flag('fast'), true);
  assert.deepEqual(parsed.positionals, ['a']);
  assert.equal(help, false);
});

test('takes defaults, and asks for help', () => {
  const { parsed, help } = parseCommandLine([verb], ['fleet', 'start', '--help']);
  assert.equal(parsed.integer('count', 1, 10), 3);
  assert.equal(help, true);
});

test('refuses unknown verbs and options and numbers out of range, naming them', () => {
  assert.throws(() => parseCommandLine([verb], ['fly']), isUsage);
  assert.throws(() => parseCommandLine([verb], ['fleet', 'start', '--speed']), isUsage);
  assert.throws(() => parseCommandLine([verb], ['fleet', 'start', 'a', 'b']), /unexpected argument "b"/);
  assert.throws(() => parseCommandLine([verb], ['fleet', 'start', '--count', '-1']), /--count=-1/);
  const { parsed } = parseCommandLine([verb], ['fleet', 'start', '--count', '11']);
  assert.throws(() => parsed.integer('count', 1, 10), /--count 11 is not a whole number in 1\.\.10/);
});

test('every verb has a help text with its options and at least one example', () => {
  for (const one of VERBS) {
    const help = formatHelp(one);
    for (const name of Object.keys(one.options)) assert.match(help, new RegExp(`--${name}\\b`));
    assert.ok(one.examples.length > 0, one.name);
    for (const example of one.examples) assert.match(example, /\bsefleet /);
  }
  const overview = formatOverview(VERBS);
  for (const { name } of VERBS) assert.ok(overview.includes(name));
});

test('the first word of several verbs asks for their list, and only with nothing else behind it', () => {
  for (const argv of [['fleet'], ['fleet', '--help'], ['fleet', '-h'], ['se', 'help']]) {
    const group = findGroup(VERBS, argv);
    const text = formatOverview(group ?? [], argv[0]);
    assert.match(text, new RegExp(`sefleet ${argv[0]} <command>`));
    assert.ok(
      group?.every(({ name }) => name.startsWith(`${argv[0]} `)),
      argv.join(' '),
    );
  }
  assert.equal(findGroup(VERBS, ['demo', '--help']), undefined);
  assert.equal(findGroup(VERBS, ['fleet', 'start', '--help']), undefined);
  assert.equal(findGroup(VERBS, ['fleet', 'bogus']), undefined);
  assert.equal(findGroup(VERBS, ['bogus']), undefined);
  assert.throws(() => parseCommandLine(VERBS, ['fleet', 'bogus']), /unknown command "fleet bogus"/);
});

test('help texts fit a terminal of 80 columns, but for examples', () => {
  const texts = [formatOverview(VERBS), ...VERBS.map(formatHelp)];
  for (const text of texts) {
    const [body = ''] = text.split('\nExamples:');
    for (const line of body.split('\n')) assert.ok(line.length <= 80, line);
  }
});

test('a verb without positional arguments refuses them, in one line', () => {
  const { positionals: _none, ...plain } = verb;
  assert.throws(() => parseCommandLine([plain], ['fleet', 'start', 'extra']), /unexpected argument "extra"/);
  assert.throws(
    () => parseCommandLine([plain], ['fleet', 'start', '--count', '-1']),
    (error) => isUsage(error) && error instanceof Error && !error.message.includes('\n'),
  );
});
