import { toHex } from '@sefleet/bytes';

/**
 * Remembers sessions by id so that clients can come back without a full handshake (RFC 5246 §F.1.4). Entries
 * hold master secrets: whatever stores them is as secret as the keys.
 */
export interface ResumptionCache {
  put(sessionId: Uint8Array, state: Uint8Array): void;
  find(sessionId: Uint8Array): Uint8Array | undefined;
  remove(sessionId: Uint8Array): void;
}

/**
 * A bounded cache in memory: the session used longest ago leaves first.
 *
 * @param options.capacity number of sessions
 */
export function createResumptionCache(options: { readonly capacity: number }): ResumptionCache {
  const states = new Map<string, Uint8Array>();
  return {
    put(sessionId, state) {
      const key = toHex(sessionId);
      states.delete(key);
      states.set(key, state);
      if (states.size > options.capacity) {
        for (const oldest of states.keys()) {
          states.delete(oldest);
          break;
        }
      }
    },
    find(sessionId) {
      const key = toHex(sessionId);
      const state = states.get(key);
      if (state === undefined) return undefined;
      states.delete(key);
      states.set(key, state);
      return state;
    },
    remove(sessionId) {
      states.delete(toHex(sessionId));
    },
  };
}
