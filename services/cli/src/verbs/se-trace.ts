import { secureElement } from '@sefleet/api';
import { SefleetError } from '@sefleet/errors';
import { usageError, type Verb } from '../command-line.ts';
import { onInterruption } from '../interruption.ts';
import { describeExchange, formatExchange } from '../secure-element/describe-exchange.ts';
import { withBackend } from './fleet.ts';

const DOOR_NAMES: Readonly<Record<secureElement.CardDoor, string>> = {
  [secureElement.CardDoor.UNSPECIFIED]: 'unknown',
  [secureElement.CardDoor.DEVICE]: 'device',
  [secureElement.CardDoor.MANAGEMENT]: 'management',
  [secureElement.CardDoor.VISITOR]: 'visitor',
};
const DOORS = ['device', 'management', 'visitor'] as const;
/** More exchanges than this nobody counts. */
const MAX_COUNT = 1_000_000_000;

export const seTrace: Verb = {
  name: 'se trace',
  summary:
    'what passes between a card and its hosts, live and explained, until Ctrl-C; ciphered data stay so, and secrets in the clear are left out',
  positionals: '<endpoint>',
  options: {
    door: { type: 'string', value: 'name', doc: `only one of ${DOORS.join(', ')}` },
    count: { type: 'string', value: 'n', doc: 'end after so many exchanges' },
    json: { type: 'boolean', doc: 'one JSON line an event' },
  },
  examples: [
    'sefleet se trace urn:dev:sefleet:meter-000001',
    'sefleet se trace urn:dev:sefleet:meter-000001 --door management --json',
    'sefleet se trace urn:dev:sefleet:meter-000001 --count 20',
  ],
  run: (parsed) => {
    const [endpoint, ...rest] = parsed.positionals;
    if (endpoint === undefined || rest.length > 0)
      throw usageError('which card?', 'Name one; list them: sefleet se list');
    const door = parsed.text('door');
    if (door !== undefined && !DOORS.some((name) => name === door))
      throw usageError(`--door ${door} is none of ${DOORS.join(', ')}`, 'Leave it out to see all.');
    const count = parsed.text('count') === undefined ? MAX_COUNT : parsed.integer('count', 1, MAX_COUNT);
    const format = parsed.flag('json') ? toJson : toLines;
    return withBackend(async (backend) => {
      const stop = new AbortController();
      onInterruption(() => stop.abort());
      let seen = 0;
      for await (const event of backend.secureElements.watchCard({ endpoint }, { signal: stop.signal })) {
        const isWanted = door === undefined || doorOf(event) === undefined || doorOf(event) === door;
        if (isWanted) console.log(format(event, endpoint));
        if (isWanted && event.event.case === 'exchange' && ++seen === count) return;
      }
      if (!stop.signal.aborted) throw lostError(endpoint);
    });
  },
};

type Event = secureElement.WatchCardResponse;

function doorOf({ event }: Event): string | undefined {
  return event.case === 'exchange' ? DOOR_NAMES[event.value.door] : undefined;
}

function timeOf({ at }: Event): string {
  return new Date(Number(at?.seconds ?? 0n) * 1000 + (at?.nanos ?? 0) / 1_000_000).toISOString();
}

function toJson(message: Event): string {
  const { event } = message;
  const at = timeOf(message);
  if (event.case !== 'exchange') return JSON.stringify({ at, [event.case ?? 'unknown']: event.value });
  const { hiddenCommandBytes, hiddenResponseBytes } = event.value;
  return JSON.stringify({
    at,
    door: doorOf(message),
    ...describeExchange(event.value),
    hiddenCommandBytes,
    hiddenResponseBytes,
  });
}

function toLines(message: Event, endpoint: string): string {
  const { event } = message;
  switch (event.case) {
    case 'watching':
      return `watching the card of ${endpoint}; Ctrl-C ends it`;
    case 'reset':
      return `${timeOf(message)} reset`;
    case 'missed':
      return `${timeOf(message)} ${event.value} events missed: this end reads too slowly`;
    case 'exchange':
      return `${timeOf(message)} ${doorOf(message)}\n${formatExchange(describeExchange(event.value))}`;
    default:
      return `${timeOf(message)} an event that this version does not know`;
  }
}

function lostError(endpoint: string): SefleetError {
  return new SefleetError('CLI_CARD_LOST', 'environment', `the card of ${endpoint} has gone away`, {
    hint: 'The fleet was stopped, or its service ended.',
  });
}
