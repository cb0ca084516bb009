import { SEALED_RECORD_PATH, type Lwm2mClient } from '@sefleet/lwm2m-coap';
import type { RecordCarrier } from './record-carrier.ts';

/** Sealed records by LwM2M Send, acknowledged by 2.04: the server answers when they are safe. */
export class Lwm2mCarrier implements RecordCarrier {
  readonly maxRecords = 8;
  /** A Send of this size goes in one datagram without IP fragmentation. */
  readonly maxBytes = 960;
  readonly #client: Lwm2mClient;

  constructor(client: Lwm2mClient) {
    this.#client = client;
  }

  get ready(): boolean {
    return this.#client.state === 'registered';
  }

  deliver(sealed: readonly Uint8Array[]): Promise<void> {
    return this.#client.send(sealed.map((value) => ({ path: SEALED_RECORD_PATH, value })));
  }

  /** The device tells of each registration itself. */
  start(): void {}

  async stop(): Promise<void> {}
}
