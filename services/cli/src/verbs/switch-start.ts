import { randomUUID } from 'node:crypto';
import { usageError, type Verb, type VerbArguments } from '../command-line.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { MARKET_ZONES } from '../rehearsal/rehearsal-plan.ts';
import { parseDuration } from '../switching/duration.ts';
import { exitCodeOf, followSwitch } from '../switching/follow-switch.ts';
import { namedMeters } from '../switching/named-meters.ts';
import { pacingOptions, pacingRequest, readPacing } from '../switching/pacing.ts';
import { formatSwitch, SWITCH_VERBS, switchFacts } from '../switching/switch-facts.ts';
import { createProgress } from '../terminal/progress.ts';
import { withBackend } from './fleet.ts';

const HELP = 'Run `sefleet switch start --help` for the options.';

export const switchStart: Verb = {
  name: 'switch start',
  summary: 'move meters of the running system to another supplier at an instant',
  positionals: '[endpoint...]',
  options: {
    from: { type: 'string', value: 'party', doc: 'the supplier that is left' },
    to: { type: 'string', value: 'party', doc: 'the supplier that comes' },
    at: {
      type: 'string',
      value: 'instant',
      doc: 'when, such as +2h or 2027-03-28T03:00+02:00; meters are prepared before it',
    },
    file: { type: 'string', value: 'path', doc: 'meters to move, one a line; - is standard input' },
    verb: { type: 'string', value: 'verb', default: 'switch', doc: [...SWITCH_VERBS.keys()].join(', ') },
    market: {
      type: 'string',
      value: 'code',
      default: 'DE',
      doc: `whose working days count: ${[...MARKET_ZONES.keys()].join(', ')}`,
    },
    ...pacingOptions('meters'),
    'request-id': {
      type: 'string',
      value: 'text',
      doc: 'started once only, however often it is asked for under this id',
    },
    wait: { type: 'boolean', doc: 'follows the switch to its end; 99 when a meter ends as an exception' },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: [
    'sefleet switch start --from northern-power --to sunrise-energy --at +1m',
    'sefleet switch start --from northern-power --to sunrise-energy --at +1h --rate 60 --waves 1%,10%,rest',
    'sefleet switch start --from northern-power --to sunrise-energy --at +1m --wait urn:dev:sefleet:meter-000001',
  ],
  run: async (parsed) => {
    const request = readRequest(parsed);
    let exitCode: ExitCode = EXIT_CODES.passed;
    await withBackend(async ({ switching: office }) => {
      const { switchId } = await office.startSwitch(request, { deadlineMs: START_LIMIT_MS });
      const wait = parsed.flag('wait');
      const state = wait
        ? await followSwitch(office, switchId, createProgress())
        : await office.getSwitch({ switchId });
      if (wait) exitCode = exitCodeOf(state);
      if (parsed.flag('json')) console.log(JSON.stringify(switchFacts(state)));
      else console.log(formatSwitch(state));
    });
    return exitCode;
  },
};

function readRequest(parsed: VerbArguments) {
  const fromSupplier = required(parsed, 'from');
  const toSupplier = required(parsed, 'to');
  if (fromSupplier === toSupplier) throw usageError('--from and --to are the same party', HELP);
  const verb = SWITCH_VERBS.get(parsed.text('verb') ?? '');
  if (verb === undefined)
    throw usageError(`--verb ${parsed.text('verb')} is none of ${[...SWITCH_VERBS.keys()].join(', ')}`, HELP);
  return {
    requestId: parsed.text('request-id') ?? randomUUID(),
    verb,
    fromSupplier,
    toSupplier,
    endpoints: [...namedMeters(parsed.positionals, parsed.text('file'))],
    cutOverAt: BigInt(readInstant(required(parsed, 'at'))),
    market: parsed.text('market') ?? '',
    ...pacingRequest(readPacing(parsed, HELP)),
  };
}

function required(parsed: VerbArguments, name: string): string {
  const value = parsed.text(name) ?? '';
  if (value !== '') return value;
  const hint = name === 'at' ? 'For example --at +10m.' : '`sefleet party list` tells who there is.';
  throw usageError(`--${name} is needed`, hint);
}

/** A time from now, or an instant with its offset from UTC. */
function readInstant(text: string): number {
  const fromNow = parseDuration(text);
  if (fromNow !== undefined) return Date.now() + Math.round(fromNow);
  const at = /(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(at)) return at;
  throw usageError(`--at ${text} is no time like +10m and no instant like 2027-03-28T03:00+02:00`, HELP);
}

/** The cohort is written down whole before the answer comes. */
const START_LIMIT_MS = 120_000;
