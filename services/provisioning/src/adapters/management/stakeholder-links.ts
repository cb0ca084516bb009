import { timestampMs } from '@bufbuild/protobuf/wkt';
import { management, recordInbox } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import { createGrpcClient, type GrpcClient, type TlsFiles } from '@sefleet/service';
import type { PartyId } from '../../domain/party.ts';
import type { StakeholderServers } from '../../domain/stakeholder-servers.ts';
import { provisioningError } from '../../errors.ts';
import type { StakeholderPort, StakeholderRegistration } from '../../switch/stakeholder-port.ts';

interface Server {
  readonly devices: GrpcClient<typeof management.DeviceManagementService>;
  readonly inbox: GrpcClient<typeof recordInbox.RecordInboxService>;
}

const NOT_REGISTERED = 'LWM2M_DEVICE_NOT_FOUND';
/** Manufacturer of the device: every device has it. */
const PROBED_PATH = '/3/0/0';

/** Stakeholders' servers over their northbound interfaces. */
export class StakeholderLinks implements StakeholderPort {
  readonly #servers: ReadonlyMap<PartyId, Server>;
  readonly #deadlineMs: number;

  constructor(servers: StakeholderServers, tls: TlsFiles, deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
    this.#servers = new Map(
      [...servers].map(([party, { target }]) => [
        party,
        {
          devices: createGrpcClient(management.DeviceManagementService, target, tls),
          inbox: createGrpcClient(recordInbox.RecordInboxService, target, tls),
        },
      ]),
    );
  }

  hasServer(party: PartyId): boolean {
    return this.#servers.has(party);
  }

  async registration(party: PartyId, endpoint: string): Promise<StakeholderRegistration | undefined> {
    const { devices } = this.#server(party);
    try {
      const { registration } = await devices.getRegistration({ endpoint }, this.#options());
      if (registration?.registeredAt === undefined) return undefined;
      return {
        id: registration.registrationId,
        registeredAt: Math.round(timestampMs(registration.registeredAt)),
      };
    } catch (cause) {
      if (isSefleetError(cause, NOT_REGISTERED)) return undefined;
      throw unavailable(party, cause);
    }
  }

  async records(party: PartyId, endpoint: string): Promise<readonly Uint8Array[]> {
    const found: Uint8Array[] = [];
    try {
      const pages = this.#server(party).inbox.listRecords({ endpoints: [endpoint] }, this.#options());
      for await (const { records } of pages) found.push(...records.map(({ sealed }) => sealed));
      return found;
    } catch (cause) {
      throw unavailable(party, cause);
    }
  }

  async tryRead(party: PartyId, endpoint: string): Promise<string> {
    try {
      const { code } = await this.#server(party).devices.read(
        { endpoint, path: PROBED_PATH },
        this.#options(),
      );
      return code;
    } catch (cause) {
      // Whatever the server says of the device is an answer; a server that is away has tried nothing.
      if (isSefleetError(cause) && !cause.code.startsWith('GRPC_')) return cause.code;
      throw unavailable(party, cause);
    }
  }

  close(): void {
    for (const { devices, inbox } of this.#servers.values()) {
      devices.close();
      inbox.close();
    }
  }

  #server(party: PartyId): Server {
    const server = this.#servers.get(party);
    if (server !== undefined) return server;
    throw provisioningError('PROVISIONING_LINK_UNAVAILABLE', `${party} has no server of its own`);
  }

  #options(): { deadlineMs: number } {
    return { deadlineMs: this.#deadlineMs };
  }
}

function unavailable(party: PartyId, cause: unknown): Error {
  return provisioningError('PROVISIONING_LINK_UNAVAILABLE', `no way to the server of ${party}`, { cause });
}
