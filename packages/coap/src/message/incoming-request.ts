import type { Peer, Timer } from '@sefleet/runtime';
import type { CoapMessage } from '../codec/message.ts';
import type { CoapOption } from '../codec/option.ts';
import type { IncomingMessage } from './transport.ts';

/** A message from the wire with what its answer needs. */
export class IncomingRequest implements IncomingMessage {
  readonly peer: Peer;
  readonly code: number;
  readonly token: Uint8Array;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
  readonly confirmable: boolean;
  readonly messageId: number;
  readonly duplicateHandle: number;
  /** The empty acknowledgement is out: what follows is a separate response. */
  acknowledged = false;
  taken: Promise<void> | undefined;
  timer: Timer | undefined;

  constructor(message: CoapMessage, peer: Peer, confirmable: boolean, duplicateHandle: number) {
    this.peer = peer;
    this.code = message.code;
    this.token = message.token;
    this.options = message.options;
    this.payload = message.payload;
    this.confirmable = confirmable;
    this.messageId = message.messageId;
    this.duplicateHandle = duplicateHandle;
  }

  settled(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
