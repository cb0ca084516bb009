import { concatBytes } from '@sefleet/bytes';
import { globalPlatformError } from '../errors.ts';

/** What the virtual reader of vsmartcard asks of the card behind it. */
export type VpcdRequest =
  | { readonly kind: 'power-off' | 'power-on' | 'reset' | 'answer-to-reset' }
  | { readonly kind: 'apdu'; readonly apdu: Uint8Array };

/** The port at which vpcd waits for its first card. */
export const VPCD_PORT = 35_963;

const CONTROLS: Readonly<Record<number, 'power-off' | 'power-on' | 'reset' | 'answer-to-reset'>> = {
  0: 'power-off',
  1: 'power-on',
  2: 'reset',
  4: 'answer-to-reset',
};
/** An extended APDU and its header; the length field would allow little more. */
const MAX_MESSAGE_BYTES = 0xffff;

/** Cuts the byte stream from vpcd into requests: each stands behind its length in two bytes, big-endian. */
export class VpcdReader {
  #pending: Uint8Array = new Uint8Array(0);

  /**
   * The requests that are complete with `bytes`.
   *
   * @throws SefleetError `GP_VPCD_MALFORMED` for a control code that does not exist; the connection has to end.
   */
  push(bytes: Uint8Array): readonly VpcdRequest[] {
    this.#pending = concatBytes(this.#pending, bytes);
    const requests: VpcdRequest[] = [];
    for (;;) {
      const [high, low] = this.#pending;
      if (high === undefined || low === undefined) return requests;
      const end = 2 + ((high << 8) | low);
      if (this.#pending.length < end) return requests;
      requests.push(readRequest(this.#pending.slice(2, end)));
      this.#pending = this.#pending.slice(end);
    }
  }
}

/** A message to vpcd: the answer to reset, or a response APDU. Power and reset are not answered. */
export function encodeVpcdMessage(message: Uint8Array): Uint8Array {
  if (message.length > MAX_MESSAGE_BYTES) {
    throw globalPlatformError('GP_VPCD_MALFORMED', 'a message to the reader has at most 65535 bytes');
  }
  return concatBytes(Uint8Array.of(message.length >> 8, message.length), message);
}

function readRequest(body: Uint8Array): VpcdRequest {
  if (body.length !== 1) return { kind: 'apdu', apdu: body };
  const kind = CONTROLS[body[0] ?? -1];
  if (kind === undefined)
    throw globalPlatformError('GP_VPCD_MALFORMED', 'the reader sent an unknown control code');
  return { kind };
}
