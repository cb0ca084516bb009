import { setTimeout as pause } from 'node:timers/promises';
import { isSefleetError } from '@sefleet/errors';

type Call = (request: unknown, options?: unknown) => Promise<unknown> | AsyncIterable<unknown>;

/** A service that was killed is back long before. */
const LIMIT_MS = 60_000;
const AGAIN_MS = 100;

/**
 * The same client for a service that is killed and comes back: a call that found nobody, or whose answer was
 * lost with the service, is made again. All calls of a rehearsal may be made twice. What a stream brings is
 * given on when the whole of it is there.
 */
export function patientClient<C extends object>(client: C): C {
  return new Proxy(client, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function' || name === 'close') return member;
      const call = member as Call;
      return (...request: Parameters<Call>) => {
        const first = call(...request);
        if (first instanceof Promise) return persist(first, async () => call(...request));
        return replay(persist(gather(first), async () => gather(call(...request))));
      };
    },
  });
}

async function persist<T>(first: Promise<T>, again: () => Promise<unknown>): Promise<unknown> {
  const endMs = performance.now() + LIMIT_MS;
  for (let result: Promise<unknown> = first; ; result = again()) {
    try {
      return await result;
    } catch (error) {
      if (!isSefleetError(error, 'GRPC_UNAVAILABLE') || performance.now() >= endMs) throw error;
      await pause(AGAIN_MS);
    }
  }
}

async function gather(stream: unknown): Promise<unknown[]> {
  const gathered: unknown[] = [];
  for await (const message of stream as AsyncIterable<unknown>) gathered.push(message);
  return gathered;
}

async function* replay(gathered: Promise<unknown>): AsyncGenerator<unknown> {
  yield* (await gathered) as unknown[];
}
