import type { parties } from '@sefleet/api';
import type { EventLog } from '@sefleet/observability';
import { normalSerialNumber, readRevocationList } from '@sefleet/pki';
import type { Runtime, Timer } from '@sefleet/runtime';
import type { GrpcClient } from '@sefleet/service';
import { EVENTS } from '../../events.ts';

type Client = Pick<GrpcClient<typeof parties.RevocationService>, 'getRevocationList'>;

const DEADLINE_MS = 5000;

/**
 * The authority's revocation list, asked of provisioning now and then. While provisioning does not answer, the
 * last list counts; before the first one has come, nothing is revoked.
 */
export class RevocationWatch {
  readonly #client: Client;
  readonly #authorityPem: string;
  readonly #runtime: Runtime;
  readonly #log: EventLog;
  readonly #intervalMs: number;
  #revoked: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: {
    readonly client: Client;
    readonly authorityPem: string;
    readonly runtime: Runtime;
    readonly log: EventLog;
    readonly intervalMs: number;
  }) {
    this.#client = options.client;
    this.#authorityPem = options.authorityPem;
    this.#runtime = options.runtime;
    this.#log = options.log;
    this.#intervalMs = options.intervalMs;
  }

  /** True for a certificate of our authority that does not count any more; `serialNumber` is hexadecimal. */
  isRevoked(serialNumber: string): boolean {
    return this.#revoked.size > 0 && this.#revoked.has(normalSerialNumber(serialNumber));
  }

  /** Asks now and from then on every interval. */
  start(): void {
    void this.ask().then(() => {
      if (this.#closed) return;
      this.#timer = this.#runtime.timers.after(this.#intervalMs, () => this.start());
    });
  }

  /** Asks once. A list that our authority did not sign changes nothing. */
  async ask(): Promise<void> {
    try {
      const { revocationList } = await this.#client.getRevocationList({}, { deadlineMs: DEADLINE_MS });
      this.#revoked = (await readRevocationList(revocationList, this.#authorityPem)).serialNumbers;
    } catch (error) {
      if (!this.#closed) this.#log.emit(EVENTS.revocationsFailed, { error });
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}
