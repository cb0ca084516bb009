import { parseArgs, type ParseArgsOptionDescriptor } from 'node:util';
import { SefleetError } from '@sefleet/errors';
import type { ExitCode } from './exit-codes.ts';

/** An option of a verb: how it is parsed and what `--help` says of it. */
export interface OptionDefinition {
  readonly type: 'string' | 'boolean';
  /** What the value is called in the help, for example `seconds`. */
  readonly value?: string;
  readonly default?: string | boolean;
  readonly doc: string;
}

/** The options of a verb, as given on the command line. */
export interface VerbArguments {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  flag(name: string): boolean;
  /** A whole number in a range; a `CLI_USAGE` error otherwise. */
  integer(name: string, min: number, max: number): number;
}

/** One verb of the command, one file each. */
export interface Verb {
  /** As typed, for example `device add`. */
  readonly name: string;
  readonly summary: string;
  /** Positional arguments for the help, for example `<endpoint>`. */
  readonly positionals?: string;
  readonly options: Readonly<Record<string, OptionDefinition>>;
  readonly examples: readonly string[];
  run(parsed: VerbArguments): Promise<ExitCode>;
}

/**
 * Finds the verb that `argv` names, longest name first, and parses what follows.
 *
 * @throws SefleetError `CLI_USAGE`, fault `caller`, that names the argument and what was expected.
 */
export function parseCommandLine(
  verbs: readonly Verb[],
  argv: readonly string[],
): { readonly verb: Verb; readonly parsed: VerbArguments; readonly help: boolean } {
  const byLength = verbs.toSorted((a, b) => b.name.length - a.name.length);
  const verb = byLength.find(({ name }) => name.split(' ').every((word, i) => argv[i] === word));
  if (verb === undefined) throw unknownCommand(verbs, argv);
  const rest = argv.slice(verb.name.split(' ').length);
  const options: Record<string, ParseArgsOptionDescriptor> = { help: { type: 'boolean', short: 'h' } };
  for (const [name, definition] of Object.entries(verb.options)) {
    options[name] = { type: definition.type };
    if (definition.default !== undefined) options[name].default = definition.default;
  }
  try {
    const { values, positionals } = parseArgs({
      args: [...rest],
      options,
      allowPositionals: true,
      strict: true,
    });
    const help = values['help'] === true;
    const unexpected = positionals[positionalsMax(verb)];
    if (unexpected !== undefined && !help)
      throw new TypeError(`unexpected argument ${JSON.stringify(unexpected)}`);
    return { verb, parsed: toArguments(verb, values, positionals), help };
  } catch (cause) {
    const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split(/\.?\n|\.$/);
    // What begins with a dash is taken for an option.
    const [, option] = /^Option '(--[\w-]+)' argument is ambiguous/.exec(reason) ?? [];
    const said = option === undefined ? reason : `${option} needs a value; one with a dash is ${option}=-1`;
    throw usageError(said, `Run \`sefleet ${verb.name} --help\` for the options.`);
  }
}

/** How many arguments a verb takes, by what its help says of them: `<endpoint> [hex ...]`. */
function positionalsMax({ positionals = '' }: Verb): number {
  return positionals.includes('...') ? Infinity : (positionals.match(/[<[]/g) ?? []).length;
}

/** The verbs that share the first word of `argv`, when nothing but a wish for help follows it. */
export function findGroup(verbs: readonly Verb[], argv: readonly string[]): readonly Verb[] | undefined {
  const [first, second, ...more] = argv;
  const asksForHelp = second === undefined || second === '--help' || second === '-h' || second === 'help';
  if (!asksForHelp || more.length > 0) return undefined;
  const group = verbs.filter(({ name }) => name.startsWith(`${first} `));
  const isVerb = verbs.some(({ name }) => name === first);
  return group.length === 0 || isVerb ? undefined : group;
}

function unknownCommand(verbs: readonly Verb[], [first = '', second]: readonly string[]): SefleetError {
  const isGroup = verbs.some(({ name }) => name.startsWith(`${first} `));
  const typed = isGroup && second !== undefined ? `${first} ${second}` : first;
  const help = isGroup ? `sefleet ${first} --help` : 'sefleet --help';
  return usageError(`unknown command ${JSON.stringify(typed)}`, `Run \`${help}\` for the list.`);
}

function toArguments(
  verb: Verb,
  values: Readonly<Record<string, unknown>>,
  positionals: string[],
): VerbArguments {
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    positionals,
    text,
    flag: (name) => values[name] === true,
    integer: (name, min, max) => {
      const given = text(name) ?? '';
      const value = Number(given);
      if (/^\d+$/.test(given) && value >= min && value <= max) return value;
      throw usageError(
        `--${name} ${given} is not a whole number in ${min}..${max}`,
        `Run \`sefleet ${verb.name} --help\` for the options.`,
      );
    },
  };
}

/** A `CLI_USAGE` error: the caller asked for something that the command does not offer. */
export function usageError(message: string, hint: string): SefleetError {
  return new SefleetError('CLI_USAGE', 'caller', message, { hint });
}

/**
 * The text of `sefleet --help`, or that of a group of verbs.
 *
 * @param group the first word that all `verbs` have, for example `fleet`
 */
export function formatOverview(verbs: readonly Verb[], group?: string): string {
  const width = Math.max(...verbs.map(({ name }) => name.length)) + 2;
  const list = verbs.flatMap(({ name, summary }) => hanging(`  ${name.padEnd(width)}`, summary));
  if (group !== undefined) {
    return [
      `Usage: sefleet ${group} <command> [options]`,
      '',
      'Commands:',
      ...list,
      '',
      `Run \`sefleet ${group} <command> --help\` for its options and examples.`,
    ].join('\n');
  }
  return [
    'sefleet: simulate, operate and load-test fleets of devices with a secure element',
    '',
    'Usage: sefleet <command> [options]',
    '',
    'Commands:',
    ...list,
    '',
    'Run `sefleet <command> --help` for its options and examples.',
    ...hanging(
      'Exit codes: ',
      '0 passed, 1 internal error, 2 usage, refused or invalid scenario, 3 target unreachable, 4 generator too slow, ' +
        '5 data-integrity violation, 99 a threshold failed, 130 interrupted, 143 terminated.',
    ),
  ].join('\n');
}

/** The text of `sefleet <verb> --help`. */
export function formatHelp(verb: Verb): string {
  const options = { ...verb.options, help: { type: 'boolean', doc: 'this text' } as OptionDefinition };
  const rows = Object.entries(options).map(([name, option]) => {
    const flag = option.value === undefined ? `--${name}` : `--${name} <${option.value}>`;
    const fallback =
      option.default === undefined || option.default === false || option.default === ''
        ? ''
        : ` (default ${String(option.default)})`;
    return [flag, `${option.doc}${fallback}`] as const;
  });
  const width = Math.max(...rows.map(([flag]) => flag.length)) + 2;
  return [
    ...hanging(`sefleet ${verb.name}: `, verb.summary),
    '',
    `Usage: sefleet ${verb.name}${verb.positionals === undefined ? '' : ` ${verb.positionals}`} [options]`,
    '',
    'Options:',
    ...rows.flatMap(([flag, doc]) => hanging(`  ${flag.padEnd(width)}`, doc)),
    '',
    'Examples:',
    ...verb.examples.map((example) => `  ${example}`),
  ].join('\n');
}

/** Every terminal is at least as wide; a text that the terminal breaks by itself cannot be read. */
const HELP_WIDTH = 80;

/** `text` behind `head`, broken at words, its further lines under its first. */
function hanging(head: string, text: string): readonly string[] {
  const room = HELP_WIDTH - head.length;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((part, i) => `${i === 0 ? head : ' '.repeat(head.length)}${part}`);
}
