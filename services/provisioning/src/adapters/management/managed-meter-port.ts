import type { management } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import type { Timers } from '@sefleet/runtime';
import type { GrpcClient } from '@sefleet/service';
import { SUPPLY_CODE, SUPPLY_CONTRACT } from '../../domain/switch/supply-object.ts';
import { provisioningError } from '../../errors.ts';
import type { InstantRecords, MeterPort } from '../../switch/meter-port.ts';

type Client = Pick<
  GrpcClient<typeof management.DeviceManagementService>,
  'read' | 'write' | 'execute' | 'getRegistration'
>;

/** Bootstrap-Request Trigger in the network provider's own account (LwM2M Core, appendix E.2). */
const BOOTSTRAP_TRIGGER = '/1/0/9';
/** How long a bootstrap may take until the device is registered again, and how often that is looked at. */
const REWRITE_LIMIT_MS = 8000;
const REWRITE_POLL_MS = { first: 50, growth: 1.5, longest: 400 };
/** Where a meter shows the records of an instant. */
const RECORD_PATH = {
  closing: SUPPLY_CONTRACT.CLOSING_RECORD,
  opening: SUPPLY_CONTRACT.OPENING_RECORD,
} as const;
/** CoAP content format of a resource as bytes, without framing. */
const OPAQUE = 42;

/** Meters by LwM2M operations on their supply contract, through the LwM2M server. */
export class ManagedMeterPort implements MeterPort {
  readonly #client: Client;
  readonly #deadlineMs: number;
  readonly #timers: Timers;

  constructor(client: Client, deadlineMs: number, timers: Timers) {
    this.#client = client;
    this.#deadlineMs = deadlineMs;
    this.#timers = timers;
  }

  async schedule(endpoint: string, at: number, order: Uint8Array): Promise<void> {
    await this.#writeOrder(endpoint, order);
    await this.#write(endpoint, SUPPLY_CONTRACT.INSTANT, { v: at });
  }

  async unschedule(endpoint: string, order: Uint8Array): Promise<'cancelled' | 'taken'> {
    // With it the meter knows which cut-over is meant, should there have been another before.
    await this.#writeOrder(endpoint, order);
    const request = { endpoint, path: SUPPLY_CONTRACT.WITHDRAW };
    const { code } = await this.#call(endpoint, () => this.#client.execute(request, this.#options()));
    if (code === SUPPLY_CODE.NOT_ALLOWED) return 'taken';
    check(code, SUPPLY_CODE.CHANGED, 'withdraw the instant');
    return 'cancelled';
  }

  async instantRecords(
    endpoint: string,
    wanted: readonly (keyof InstantRecords)[],
  ): Promise<InstantRecords | undefined> {
    const records: { closing?: Uint8Array; opening?: Uint8Array } = {};
    for (const name of wanted) {
      const record = await this.#read(endpoint, RECORD_PATH[name]);
      if (record !== undefined) records[name] = record;
      else if (name === wanted[0]) return undefined;
      else throw provisioningError('SWITCH_METER_REFUSED', `${endpoint} has no ${name} record`);
    }
    return records;
  }

  async rewriteAccounts(endpoint: string): Promise<void> {
    const before = await this.#registrationOf(endpoint);
    const request = { endpoint, path: BOOTSTRAP_TRIGGER };
    const { code } = await this.#call(endpoint, () => this.#client.execute(request, this.#options()));
    check(code, SUPPLY_CODE.CHANGED, 'bootstrap again');
    // After a bootstrap a device registers anew (LwM2M Core §6.1.3).
    const { first, growth, longest } = REWRITE_POLL_MS;
    let pauseMs = first;
    for (let waitedMs = 0; waitedMs < REWRITE_LIMIT_MS; waitedMs += pauseMs) {
      if (waitedMs > 0) pauseMs = Math.min(growth * pauseMs, longest);
      await new Promise<void>((resolve) => void this.#timers.after(pauseMs, resolve));
      if ((await this.#registrationOf(endpoint)) !== before) return;
    }
    throw provisioningError(
      'PROVISIONING_LINK_UNAVAILABLE',
      `${endpoint} has not come back from a bootstrap`,
    );
  }

  async #registrationOf(endpoint: string): Promise<string> {
    const { registration } = await this.#call(endpoint, () =>
      this.#client.getRegistration({ endpoint }, this.#options()),
    );
    return registration?.registrationId ?? '';
  }

  #writeOrder(endpoint: string, order: Uint8Array): Promise<void> {
    return this.#write(endpoint, SUPPLY_CONTRACT.ORDER, { vd: Buffer.from(order).toString('base64url') });
  }

  async #write(
    endpoint: string,
    path: string,
    value: { readonly v: number } | { readonly vd: string },
  ): Promise<void> {
    const request = { endpoint, path, senmlJson: JSON.stringify([{ n: path, ...value }]), partial: false };
    const { code } = await this.#call(endpoint, () => this.#client.write(request, this.#options()));
    check(code, SUPPLY_CODE.CHANGED, `write ${path}`);
  }

  async #read(endpoint: string, path: string): Promise<Uint8Array | undefined> {
    const { code, payload } = await this.#call(endpoint, () =>
      this.#client.read({ endpoint, path, accept: OPAQUE }, this.#options()),
    );
    if (code === SUPPLY_CODE.NOT_FOUND) return undefined;
    check(code, SUPPLY_CODE.CONTENT, `read ${path}`);
    return payload;
  }

  /** What the server cannot do for a device that is away is no fault of the device. */
  async #call<T>(endpoint: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      if (isSefleetError(cause) && !cause.code.startsWith('GRPC_')) throw cause;
      throw provisioningError('PROVISIONING_LINK_UNAVAILABLE', `no way to ${endpoint}`, { cause });
    }
  }

  #options(): { deadlineMs: number } {
    return { deadlineMs: this.#deadlineMs };
  }
}

function check(code: string, expected: string, what: string): void {
  if (code !== expected)
    throw provisioningError('SWITCH_METER_REFUSED', `${what}: ${code}`, { context: { code } });
}
