import { createHmac } from 'node:crypto';
import { ByteWriter, constantTimeEqual } from '@sefleet/bytes';
import type { Runtime } from '@sefleet/runtime';
import { decodeUint, encodeText, findOption } from '../codec/option.ts';
import { CODE, OPTION } from '../constants.ts';
import type { CoapRequest, RequestHandler } from '../request.ts';
import type { CoapReply } from '../response.ts';

/** Which requests must prove that they are fresh, and how fresh. */
export interface FreshnessOptions {
  readonly runtime: Runtime;
  /** How old a request may be, in milliseconds; default 60,000. */
  readonly windowMs?: number | undefined;
  /**
   * Default: every request. To keep spoofed sources from turning a server into an amplifier (RFC 9175 §2.6),
   * ask it only of peers without identity whose answer would be large.
   */
  readonly when?: ((request: CoapRequest) => boolean) | undefined;
}

const DEFAULT_WINDOW_MS = 60_000;
const KEY_BYTES = 32;
const TIME_BYTES = 6;
/** RFC 9175 §5: 64 bits leave no room for guessing within a window. */
const TAG_BYTES = 8;

/**
 * Puts a check of freshness before a handler (RFC 9175 §2.3): a request without a valid Echo option is
 * answered with 4.01 and one to repeat it with. The server keeps no state: the option holds its time,
 * authenticated with the peer.
 *
 * @example createCoapEndpoint({ channel, runtime, handler: requireFreshness({ runtime }, router.handler) })
 */
export function requireFreshness(options: FreshnessOptions, handler: RequestHandler): RequestHandler {
  const { runtime, when, windowMs = DEFAULT_WINDOW_MS } = options;
  const key = runtime.rng.bytes(KEY_BYTES);
  const echoAt = (timeMs: number, peerKey: string): Uint8Array => {
    const time = new ByteWriter(TIME_BYTES).u48(timeMs).finish();
    const tag = createHmac('sha256', key)
      .update(time)
      .update(encodeText(peerKey))
      .digest()
      .subarray(0, TAG_BYTES);
    return new ByteWriter(TIME_BYTES + TAG_BYTES).bytes(time).bytes(tag).finish();
  };
  return (request) => {
    if (when?.(request) === false) return handler(request);
    const nowMs = Math.floor(runtime.clock.monotonicMs());
    const shown = findOption(request.options, OPTION.ECHO);
    const shownMs = shown?.length === TIME_BYTES + TAG_BYTES ? decodeUint(shown.subarray(0, TIME_BYTES)) : -1;
    const authentic =
      shown !== undefined && shownMs >= 0 && constantTimeEqual(shown, echoAt(shownMs, request.peer.key));
    if (authentic && nowMs - shownMs <= windowMs) return handler(request);
    return challenge(echoAt(nowMs, request.peer.key));
  };
}

function challenge(echo: Uint8Array): CoapReply {
  return { code: CODE.UNAUTHORIZED, options: [{ number: OPTION.ECHO, value: echo }] };
}
