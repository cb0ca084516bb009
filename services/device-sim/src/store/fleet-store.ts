import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { z } from 'zod';
import type { DeviceKind } from '../device-kind.ts';
import type { FirmwareResult } from '@sefleet/lwm2m';
import { simulationError } from '../errors.ts';
import type { NetworkConditions } from '../network/network-conditions.ts';
import { connectivityText, type Connectivity } from '../device/connectivity.ts';
import { connectivitySchema, deviceRow, firmwareRow, ledgerRow, outboxRow, planSchema } from './rows.ts';
import { FLEET_SCHEMA, FLEET_SCHEMA_3, FLEET_SCHEMA_VERSION } from './schema.ts';

/** What was asked for when the fleet was started. */
export interface FleetPlan {
  readonly seed: bigint;
  readonly kinds: readonly {
    readonly kind: DeviceKind;
    readonly count: number;
    readonly readingIntervalMs: number;
  }[];
  /** Devices per second; 0: no limit of its own. */
  readonly startRate: number;
  readonly timeCompression: number;
  /**
   * Virtual time at which the behaviour models begin, as milliseconds since 1970; undefined: their own
   * reference.
   */
  readonly virtualStartMs: number | undefined;
  readonly network: NetworkConditions;
  readonly connectivity: Connectivity;
}

/** The fleet that this folder belongs to. */
export interface StoredFleet extends FleetPlan {
  readonly state: FleetState;
}

/** `draining`: no more readings are made. `stopped`: the devices are off; their cards are kept. */
export type FleetState = 'running' | 'draining' | 'stopped';

/** What a device is shipped with. */
export interface DeviceIdentity {
  readonly endpoint: string;
  readonly kind: DeviceKind;
  /** Number among the devices of its kind, from 1. */
  readonly number: number;
  readonly bootstrapUri: string;
  readonly bootstrapPskIdentity: string;
  readonly bootstrapSecretId: number;
  readonly deviceKeyId: number;
  /** DER certificates, the device's own first. */
  readonly certificateChain: readonly Uint8Array[];
  /** Accounts that it has from the factory, as the content of EF(LwM2M_Bootstrap); empty: none. */
  readonly factoryAccounts: Uint8Array;
  /** What it was ordered with. */
  readonly connectivity: Connectivity;
}

/** What changes while a device works. */
export interface DeviceState {
  readonly cardImage: Uint8Array;
  /** Where the readings have come to, as JSON; empty before the first. */
  readonly readings: string;
  /** What the bootstrap server wrote, as JSON; empty before the first bootstrap. */
  readonly accounts: string;
  /** What it knows of a change of supplier, as JSON; empty when there is none. */
  readonly supply: string;
  /** Records sealed and acknowledged so far. */
  readonly sealed: number;
  readonly acknowledged: number;
}

/** What a device runs, and how far an update has come. */
export interface StoredFirmware {
  /** Counts the releases for its kind. */
  readonly versionNumber: number;
  readonly version: string;
  readonly phase: 'idle' | 'downloading' | 'downloaded' | 'updating';
  /** Of the newest update, as resource 5 of Firmware Update tells it. */
  readonly result: FirmwareResult;
  /** The package that is to be applied; empty when there is none. */
  readonly package: Uint8Array;
}

/** A device as it is kept. */
export interface StoredDevice extends DeviceIdentity, DeviceState {
  readonly id: number;
}

/** A sealed record that has not been acknowledged. */
export interface OutboxRecord {
  /** Counts the records of the device, from 1, whichever stakeholder they are for. */
  readonly position: number;
  readonly sealed: Uint8Array;
}

/** Everything of one group commit. */
export interface FleetChanges {
  readonly states: readonly { readonly id: number; readonly state: DeviceState }[];
  readonly added: readonly { readonly id: number; readonly record: OutboxRecord }[];
  readonly acknowledged: readonly { readonly id: number; readonly position: number }[];
}

/**
 * The fleet on disk: SQLite with a write-ahead log.
 *
 * A commit is a write to the log without waiting for the disk (`synchronous = NORMAL`): it survives the end
 * of the process at any point, but the last commits may be lost with the machine's power.
 */
export class FleetStore {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #updateState: StatementSync;
  readonly #addRecord: StatementSync;
  readonly #removeRecord: StatementSync;
  readonly #listRecords: StatementSync;
  readonly #readDevice: StatementSync;
  readonly #readConnectivity: StatementSync;

  /** @throws SefleetError `SIM_STORE_FAILED`, `SIM_STORE_DAMAGED` */
  constructor(path: string) {
    this.#path = path;
    this.#database = this.#guard(() => openDatabase(path));
    this.#readDevice = this.#database.prepare(
      'SELECT * FROM device JOIN device_state USING (id) WHERE endpoint = ?',
    );
    this.#readConnectivity = this.#database.prepare('SELECT connectivity FROM device WHERE endpoint = ?');
    this.#updateState = this.#database.prepare(
      `UPDATE device_state
       SET card_image = ?, readings = ?, accounts = ?, supply = ?, sealed = ?, acknowledged = ? WHERE id = ?`,
    );
    this.#addRecord = this.#database.prepare('INSERT INTO outbox (id, position, sealed) VALUES (?, ?, ?)');
    this.#removeRecord = this.#database.prepare('DELETE FROM outbox WHERE id = ? AND position = ?');
    this.#listRecords = this.#database.prepare(
      'SELECT position, sealed FROM outbox WHERE id = ? ORDER BY position LIMIT ?',
    );
  }

  /** The fleet of this folder, or undefined when none was ever started. */
  fleet(): StoredFleet | undefined {
    const row = this.#guard(() => this.#database.prepare('SELECT plan FROM fleet').get());
    if (row === undefined) return undefined;
    const { virtualStartMs, ...plan } = this.#parse(planSchema, JSON.parse(String(row['plan'])));
    return { ...plan, virtualStartMs };
  }

  /** Keeps the plan and state of the fleet in place of what was there. */
  putFleet(fleet: StoredFleet): void {
    const connectivity = connectivityText(fleet.connectivity);
    const plan = JSON.stringify({ ...fleet, connectivity, seed: fleet.seed.toString() });
    this.#guard(() =>
      this.#database.prepare('INSERT OR REPLACE INTO fleet (id, plan) VALUES (1, ?)').run(plan),
    );
  }

  /**
   * Keeps devices that are new, in one transaction. A device that is there keeps its card, which has moved
   * on; ordered with another connectivity, it forgets its accounts and takes those of now.
   */
  addDevices(devices: readonly (DeviceIdentity & { readonly cardImage: Uint8Array })[]): void {
    this.#transaction(() => {
      const identity = this.#database.prepare(
        `INSERT OR IGNORE INTO device (endpoint, kind, number, bootstrap_uri, bootstrap_psk_identity,
           bootstrap_secret_id, device_key_id, certificate_chain, factory_accounts, connectivity)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      );
      const change = this.#database.prepare(
        `UPDATE device SET factory_accounts = ?1, connectivity = ?2
           WHERE endpoint = ?3 AND connectivity <> ?2`,
      );
      const forget = this.#database.prepare(
        `UPDATE device_state SET accounts = '' WHERE id = (SELECT id FROM device WHERE endpoint = ?)`,
      );
      const state = this.#database.prepare(
        `INSERT INTO device_state (id, card_image, readings, accounts, supply, sealed, acknowledged)
           VALUES (?, ?, '', '', '', 0, 0)`,
      );
      for (const device of devices) {
        const connectivity = connectivityText(device.connectivity);
        const { changes, lastInsertRowid } = identity.run(
          device.endpoint,
          device.kind,
          device.number,
          device.bootstrapUri,
          device.bootstrapPskIdentity,
          device.bootstrapSecretId,
          device.deviceKeyId,
          JSON.stringify(device.certificateChain.map((der) => Buffer.from(der).toString('base64'))),
          device.factoryAccounts,
          connectivity,
        );
        if (changes !== 0) state.run(lastInsertRowid, device.cardImage);
        else if (change.run(device.factoryAccounts, connectivity, device.endpoint).changes !== 0) {
          forget.run(device.endpoint);
        }
      }
    });
  }

  /** The device with this endpoint name. */
  device(endpoint: string): StoredDevice | undefined {
    const row = this.#guard(() => this.#readDevice.get(endpoint));
    if (row === undefined) return undefined;
    const parsed = this.#parse(deviceRow, row);
    const chain = this.#parse(z.array(z.string()), JSON.parse(parsed.certificate_chain));
    return {
      id: parsed.id,
      endpoint: parsed.endpoint,
      kind: parsed.kind,
      number: parsed.number,
      bootstrapUri: parsed.bootstrap_uri,
      bootstrapPskIdentity: parsed.bootstrap_psk_identity,
      bootstrapSecretId: parsed.bootstrap_secret_id,
      deviceKeyId: parsed.device_key_id,
      certificateChain: chain.map((text) => Uint8Array.from(Buffer.from(text, 'base64'))),
      factoryAccounts: parsed.factory_accounts,
      connectivity: parsed.connectivity,
      cardImage: parsed.card_image,
      readings: parsed.readings,
      accounts: parsed.accounts,
      supply: parsed.supply,
      sealed: parsed.sealed,
      acknowledged: parsed.acknowledged,
    };
  }

  /**
   * True when a device is here that cannot be changed to `wanted`: accounts in cards are written by the
   * factory alone.
   */
  hasFixedDevices(wanted: Connectivity): boolean {
    const others = this.#guard(() =>
      this.#database
        .prepare('SELECT DISTINCT connectivity FROM device WHERE connectivity <> ?')
        .all(connectivityText(wanted)),
    );
    const made = others.map((row) => this.#parse(connectivitySchema, row['connectivity']));
    return made.some(({ bootstrap }) => bootstrap === 'smartcard' || wanted.bootstrap === 'smartcard');
  }

  /** What a device was ordered with, as text; undefined when it is not here. */
  connectivityOf(endpoint: string): string | undefined {
    const row = this.#guard(() => this.#readConnectivity.get(endpoint));
    return row === undefined ? undefined : String(row['connectivity']);
  }

  /** A device's firmware; undefined when it was never updated. */
  firmware(id: number): StoredFirmware | undefined {
    const row = this.#guard(() => this.#database.prepare('SELECT * FROM firmware WHERE id = ?').get(id));
    if (row === undefined) return undefined;
    const { version_number: versionNumber, ...firmware } = this.#parse(firmwareRow, row);
    return { versionNumber, ...firmware };
  }

  /** Keeps a device's firmware in place of what was there. */
  putFirmware(id: number, { versionNumber, version, phase, result, package: bytes }: StoredFirmware): void {
    this.#guard(() =>
      this.#database
        .prepare(
          `INSERT OR REPLACE INTO firmware (id, version_number, version, phase, result, package)
           VALUES (?, ?, ?, ?, ?, ?)`,
        )
        .run(id, versionNumber, version, phase, result, bytes),
    );
  }

  /** The oldest records of a device that have not been acknowledged. */
  outbox(id: number, limit: number): readonly OutboxRecord[] {
    const rows = this.#guard(() => this.#listRecords.all(id, limit));
    return rows.map((row) => this.#parse(outboxRow, row));
  }

  /** Writes everything or nothing. */
  apply(changes: FleetChanges): void {
    this.#transaction(() => {
      for (const { id, state } of changes.states) {
        const { cardImage, readings, accounts, supply, sealed, acknowledged } = state;
        this.#updateState.run(cardImage, readings, accounts, supply, sealed, acknowledged, id);
      }
      for (const { id, record } of changes.added) this.#addRecord.run(id, record.position, record.sealed);
      for (const { id, position } of changes.acknowledged) this.#removeRecord.run(id, position);
    });
  }

  /** Endpoint names and counts of all devices, for the ledger. */
  *ledger(): Iterable<{ readonly endpoint: string; readonly sealed: number; readonly acknowledged: number }> {
    const rows = this.#guard(() =>
      this.#database
        .prepare('SELECT endpoint, sealed, acknowledged FROM device JOIN device_state USING (id)')
        .all(),
    );
    for (const row of rows) yield this.#parse(ledgerRow, row);
  }

  close(): void {
    this.#database.close();
  }

  #transaction(run: () => void): void {
    this.#guard(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        run();
        this.#database.exec('COMMIT');
      } catch (error) {
        // A full disk has rolled back by itself.
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (cause) {
      throw simulationError('SIM_STORE_FAILED', `the fleet's database ${this.#path} failed`, {
        cause,
        hint: 'Look for free space and write permission in the data folder (SEFLEET_DATA).',
      });
    }
  }

  #parse<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw simulationError('SIM_STORE_DAMAGED', `the fleet's database ${this.#path} cannot be read`, {
      cause: parsed.error,
      hint: 'Move the file away to start with a new fleet.',
    });
  }
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000');
  let version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version === 2) {
    database.exec(FLEET_SCHEMA_3);
    version = 3;
  }
  if (version !== 0 && version !== FLEET_SCHEMA_VERSION) {
    throw simulationError(
      'SIM_STORE_DAMAGED',
      `database version ${version}, expected ${FLEET_SCHEMA_VERSION}`,
    );
  }
  database.exec(FLEET_SCHEMA);
  database.exec(`PRAGMA user_version = ${FLEET_SCHEMA_VERSION}`);
  return database;
}
