import { rejects } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseCommandLine } from '../command-line.ts';
import { VERBS } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-verbs-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command that has to be refused before it talks to anybody. */
async function refuses(argv: readonly string[], expected: RegExp): Promise<void> {
  const run = async (): Promise<unknown> => {
    const { verb, parsed } = parseCommandLine(VERBS, argv);
    return verb.run(parsed);
  };
  await rejects(run(), { code: 'CLI_USAGE', message: expected }, argv.join(' '));
}

describe('the verbs of a switch', () => {
  it('refuse what no switch can be, before anything is asked', async () => {
    const start = ['switch', 'start', '--from', 'northern-power', '--to', 'sunrise-energy'];
    const empty = join(folder, 'empty');
    writeFileSync(empty, '# nobody\n\n');
    await refuses(['switch', 'start', '--to', 'sunrise-energy', '--at', '+1m'], /--from is needed/);
    await refuses([...start.slice(0, 5), 'northern-power', '--at', '+1m'], /same party/);
    await refuses(start, /--at is needed/);
    await refuses([...start, '--at', 'noon'], /--at noon is no time/);
    await refuses([...start, '--at', '2027-03-28T03:00'], /is no time/);
    await refuses([...start, '--at', '+1m', '--file', join(folder, 'nothing')], /cannot be read/);
    await refuses([...start, '--at', '+1m', '--file', empty], /names no meter/);
    await refuses([...start, '--at', '+1m', '--waves', '60,60'], /no list of shares/);
    await refuses([...start, '--at', '+1m', '--waves', '1', '--canary', '1'], /say the same/);
    await refuses([...start, '--at', '+1m', '--wave-pause', '2d'], /--wave-pause 2d is no time/);
    await refuses([...start, '--at', '+1m', '--rate', '1.5'], /--rate 1.5 is not a whole number/);
    await refuses([...start, '--at', '+1m', '--verb', 'steal'], /none of switch/);
    await refuses(['switch', 'object', 'last'], /which meters/);
    await refuses(['switch', 'cancel', 'last', 'meter-1'], /unexpected argument "meter-1"/);
    await refuses(['switch', 'show', 'one', 'two'], /unexpected argument "two"/);
    await refuses(['switch', 'show', 'last', '--meters', '--limit', '0'], /--limit 0/);
    await refuses(['switch', 'pause'], /which switch/);
    await refuses(['switch', 'evidence'], /which switch/);
  });

  it('refuse pauses and rates that no rehearsal has time for', async () => {
    const rehearse = ['rehearse', 'supplier-switch', '--meters', '2000'];
    await refuses([...rehearse, '--rate', '10'], /2000 devices need 200 min .* after 120 min/);
    await refuses([...rehearse, '--waves', '1%', '--wave-pause', '3h'], /need 180 min/);
    await refuses([...rehearse, '--pause-at', 'half'], /no share like 50%/);
    await refuses([...rehearse, '--pause-at', '50%', '--pause-for', '0s'], /no time like 90s/);
    await refuses([...rehearse, '--pause-at', '50%', '--pause-for', '70m'], /need 70 min/);
  });
});
