import { decodeSealedRecord } from '@sefleet/cose';
import { isSefleetError } from '@sefleet/errors';
import { parseStakeholderIdentity, SEALED_RECORD_PATH, type Lwm2mClient } from '@sefleet/lwm2m-coap';
import { SECURITY_RESOURCE, serverAccounts } from '@sefleet/lwm2m';
import type { RecordCarrier } from './record-carrier.ts';

/**
 * Sealed records by LwM2M Send, acknowledged by 2.04: the server answers when they are safe. A record goes to
 * the server of the stakeholder for whom it was sealed. Where no stakeholder has one of its own, all go to
 * the one that runs the network; where some have, a record for another waits until its account has come.
 */
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

  together(sealed: readonly Uint8Array[]): number {
    const [first] = sealed;
    if (first === undefined) return 0;
    const servers = this.#serversOfStakeholders();
    if (servers.size === 0) return sealed.length;
    const server = serverFor(first, servers);
    const isReady = server !== undefined && this.#isRegisteredWith(server);
    const other = sealed.findIndex((record) => serverFor(record, servers) !== server);
    if (!isReady) return 0;
    return other < 0 ? sealed.length : other;
  }

  deliver(sealed: readonly Uint8Array[]): Promise<void> {
    const [first] = sealed;
    const servers = this.#serversOfStakeholders();
    const server = first === undefined ? undefined : serverFor(first, servers);
    const entries = sealed.map((value) => ({ path: SEALED_RECORD_PATH, value }));
    return this.#client.send(entries, server);
  }

  /** The device tells of each registration itself. */
  start(): void {}

  async stop(): Promise<void> {}

  /** Short server ids by stakeholder, from the accounts as they stand. */
  #serversOfStakeholders(): ReadonlyMap<string, number> {
    const { tree } = this.#client;
    const servers = new Map<string, number>();
    for (const { security, server } of serverAccounts(tree)) {
      const identity = tree.instance(0, security.instanceId)?.get(SECURITY_RESOURCE.PUBLIC_KEY_OR_IDENTITY);
      if (!(identity instanceof Uint8Array)) continue;
      const account = parseStakeholderIdentity(Buffer.from(identity).toString('utf8'));
      if (account !== undefined) servers.set(account.stakeholder, server.shortServerId);
    }
    return servers;
  }

  #isRegisteredWith(server: number): boolean {
    return this.#client
      .servers()
      .some(
        ({ shortServerId, state }) =>
          shortServerId === server && (state === 'registered' || state === 'updating'),
      );
  }
}

function serverFor(sealed: Uint8Array, servers: ReadonlyMap<string, number>): number | undefined {
  try {
    return servers.get(decodeSealedRecord(sealed).stakeholder);
  } catch (error) {
    if (isSefleetError(error)) return undefined;
    throw error;
  }
}
