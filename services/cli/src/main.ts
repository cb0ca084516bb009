import { SefleetError } from '@sefleet/errors';
import { findGroup, formatHelp, formatOverview, parseCommandLine } from './command-line.ts';
import { EXIT_CODES, type ExitCode } from './exit-codes.ts';
import { interruptionCodeOf } from './interruption.ts';
import { VERBS } from './verbs/index.ts';

const VERSION_FLAGS = ['--version', '-v', 'version'];
const HELP_FLAGS = ['--help', '-h', 'help'];

// A verb that was interrupted may still wait for answers that nobody needs: the process ends with the verb.
process.exit(await run(process.argv.slice(2)));

async function run(argv: readonly string[]): Promise<ExitCode> {
  const [first] = argv;
  if (first === undefined || HELP_FLAGS.includes(first)) {
    console.log(formatOverview(VERBS));
    return first === undefined ? EXIT_CODES.usage : EXIT_CODES.passed;
  }
  if (VERSION_FLAGS.includes(first)) {
    const { default: manifest } = await import('../package.json', { with: { type: 'json' } });
    console.log(manifest.version);
    return EXIT_CODES.passed;
  }
  const group = findGroup(VERBS, argv);
  if (group !== undefined) {
    console.log(formatOverview(group, first));
    return argv.length === 1 ? EXIT_CODES.usage : EXIT_CODES.passed;
  }
  try {
    const { verb, parsed, help } = parseCommandLine(VERBS, argv);
    if (help) {
      console.log(formatHelp(verb));
      return EXIT_CODES.passed;
    }
    return await verb.run(parsed);
  } catch (error) {
    return report(error);
  }
}

/** One line that names the cause and the fix; the whole story only for faults of ours. */
function report(error: unknown): ExitCode {
  if (!(error instanceof SefleetError) || error.fault === 'internal') {
    console.error('sefleet: internal error:', error);
    return EXIT_CODES.internal;
  }
  const hint = error.hint === undefined ? '' : ` ${error.hint}`;
  const stop = /[.?!]$/.test(error.message) ? '' : '.';
  console.error(`sefleet: ${error.code}: ${error.message}${stop}${hint}`);
  const interruption = interruptionCodeOf(error);
  if (interruption !== undefined) return interruption;
  return error.fault === 'environment' ? EXIT_CODES.unreachable : EXIT_CODES.usage;
}
