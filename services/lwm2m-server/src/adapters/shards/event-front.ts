import type { MessageInitShape } from '@bufbuild/protobuf';
import type { management } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import type { CallContext, ServiceImplementation } from '@sefleet/service';
import type { Timers } from '@sefleet/runtime';
import { serviceError } from '../../errors.ts';
import { interleave } from './interleave.ts';
import { passedOn } from './shards.ts';
import type { Shards } from './shards.ts';

/** The events of this server alone. */
interface Own extends Pick<ServiceImplementation<typeof management.DeviceManagementService>, 'watchEvents'> {
  /** Where its journal is now. */
  place(): string;
}

type Event = MessageInitShape<typeof management.WatchEventsResponseSchema>;

/** The events of one server. */
interface Source {
  place(): string | Promise<string>;
  read(resumeToken: string, signal: AbortSignal): AsyncIterable<Event>;
}

/** Between two tries with a server that is away. */
const RETRY_MS = 1000;
/** How long a server may take to say where its events are. */
const PLACE_MS = 5000;
const PREFIX = 'fleet.';

/**
 * The events of all servers as one stream, in the order of their coming here. A token holds the place in
 * each server's journal, so that nothing is lost or told twice over a restart of any of them; the events of
 * a server that is away come when it is back.
 */
export function eventFront(own: Own, shards: Shards, timers: Timers): Own['watchEvents'] {
  return (request, context) => {
    if (context.isPassedOn === true || shards.peers.length === 0) return own.watchEvents(request, context);
    const { types } = request;
    const sources = new Map<string, Source>([
      [
        shards.ownUri,
        {
          place: () => own.place(),
          read: (resumeToken, signal) => own.watchEvents({ ...request, resumeToken }, { ...context, signal }),
        },
      ],
      ...shards.peers.map(({ uri, client }): [string, Source] => [
        uri,
        {
          place: async () => (await client.getStatistics({}, { deadlineMs: PLACE_MS })).eventToken,
          read: (resumeToken, signal) =>
            client.watchEvents({ types, resumeToken }, { ...passedOn(context), signal }),
        },
      ]),
    ]);
    return merge(sources, placesOf(request.resumeToken), context, timers);
  };
}

async function* merge(
  sources: ReadonlyMap<string, Source>,
  places: Map<string, string>,
  context: CallContext,
  timers: Timers,
): AsyncGenerator<Event> {
  // A token has a place in every journal, of servers too that have told nothing yet.
  const unknown = [...sources].filter(([uri]) => !places.has(uri));
  await Promise.all(
    unknown.map(async ([uri, source]) => {
      const place = await Promise.try(() => source.place()).catch(() => '');
      if (place !== '') places.set(uri, place);
    }),
  );
  const ended = new AbortController();
  const signal = AbortSignal.any([context.signal, ended.signal]);
  const pause = (): Promise<void> => new Promise((resolve) => void timers.after(RETRY_MS, resolve));
  const streams = Array.from(sources, ([uri, source]) => {
    const read = (): AsyncIterable<Event> => source.read(places.get(uri) ?? '', signal);
    return [uri, persistent(read, pause, signal)] as const;
  });
  try {
    for await (const [uri, event] of interleave(new Map(streams))) {
      places.set(uri, event.resumeToken ?? '');
      yield { ...event, resumeToken: tokenOf(places) };
    }
  } finally {
    ended.abort();
  }
}

/** One server's events; goes on from the last place when the server went away. */
async function* persistent(
  read: () => AsyncIterable<Event>,
  pause: () => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Event> {
  while (!signal.aborted) {
    try {
      yield* read();
    } catch (error) {
      if (!isSefleetError(error) || error.fault !== 'environment') throw error;
    }
    if (!signal.aborted) await pause();
  }
}

function tokenOf(places: ReadonlyMap<string, string>): string {
  return PREFIX + Buffer.from(JSON.stringify(Object.fromEntries(places))).toString('base64url');
}

function placesOf(token: string): Map<string, string> {
  if (token === '') return new Map();
  try {
    if (!token.startsWith(PREFIX)) throw new RangeError(token);
    const places: unknown = JSON.parse(Buffer.from(token.slice(PREFIX.length), 'base64url').toString('utf8'));
    if (typeof places !== 'object' || places === null) throw new RangeError(token);
    return new Map(Object.entries(places).map(([uri, place]) => [uri, String(place)]));
  } catch (cause) {
    throw serviceError('LWM2M_REQUEST_INVALID', 'resume_token is not one of this fleet', { cause });
  }
}
