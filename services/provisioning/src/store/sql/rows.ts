import { aid } from '@sefleet/globalplatform';
import type { SqlRow } from '@sefleet/service';
import type { StakeholderRole } from '../../domain/card-plan.ts';
import { DEFAULT_CONNECTIVITY, isSameConnectivity, type Connectivity } from '../../domain/connectivity.ts';
import type { DeviceKind } from '../../domain/device-kind.ts';
import { partyId } from '../../domain/party.ts';
import {
  isRotationOver,
  type DeviceRotation,
  type Rotation,
  type RotationProgress,
  type RotationStep,
} from '../../domain/rotation.ts';
import type { Device, DomainState } from '../provisioning-store.ts';

const MAX_FAILURES_TOLD = 100;

// The columns that these functions read are written by this room alone: it may believe them.

/** A row of `devices`. */
export function toDevice(row: SqlRow): Device {
  return {
    endpoint: String(row['endpoint']),
    kind: String(row['kind']) as DeviceKind,
    make: row['make'] === 'card' ? 'card' : 'software',
    diversification: toBytes(row['diversification']),
    connectivity: toConnectivity(String(row['connectivity'])),
  };
}

/** The column `connectivity`: JSON, or empty for what is usual. */
function toConnectivity(text: string): Connectivity {
  return text === '' ? DEFAULT_CONNECTIVITY : (JSON.parse(text) as Connectivity);
}

/** What {@link toDevice} reads again. */
export function connectivityText(connectivity: Connectivity): string {
  return isSameConnectivity(connectivity, DEFAULT_CONNECTIVITY) ? '' : JSON.stringify(connectivity);
}

/** A row of `domains`. */
export function toDomainState(row: SqlRow): DomainState {
  return {
    endpoint: String(row['endpoint']),
    domain: aid(String(row['domain'])),
    role: String(row['role']) as StakeholderRole,
    party: partyId(String(row['party'])),
    generation: Number(row['generation']),
    rotatedAt: row['rotated_at'] === null ? undefined : Number(row['rotated_at']),
    ...(row['records'] === '' ? {} : { records: aid(String(row['records'])) }),
  };
}

/** A row of `rotations`. */
export function toRotation(row: SqlRow): Rotation {
  return {
    rotationId: String(row['rotation_id']),
    stakeholder: String(row['stakeholder']),
    concurrency: Number(row['concurrency']),
    total: Number(row['total']),
  };
}

/** A row of `device_rotations`. */
export function toDeviceRotation(row: SqlRow): DeviceRotation {
  return {
    rotationId: String(row['rotation_id']),
    endpoint: String(row['endpoint']),
    domain: aid(String(row['domain'])),
    party: partyId(String(row['party'])),
    step: String(row['step']) as RotationStep,
    fromGeneration: Number(row['from_generation']),
    toGeneration: Number(row['to_generation']),
  };
}

/** How far a rotation has come, from the rows of its devices by their duration. */
export function toProgress(rotation: Rotation, rows: readonly SqlRow[]): RotationProgress {
  const count = (keep: (row: SqlRow) => boolean): number => rows.filter(keep).length;
  const of = (step: RotationStep): readonly SqlRow[] => rows.filter((row) => row['step'] === step);
  return {
    ...rotation,
    attempted: count((row) => row['step'] !== 'planned'),
    confirmed: of('confirmed').length,
    oldKeyRefused: count((row) => Number(row['old_key_refused']) === 1),
    failed: of('failed').length,
    done: rows.every((row) => isRotationOver(String(row['step']) as RotationStep)),
    durationsMs: of('confirmed').map((row) => Number(row['duration_ms'])),
    failures: of('failed')
      .slice(0, MAX_FAILURES_TOLD)
      .map((row) => ({
        endpoint: String(row['endpoint']),
        code: String(row['failure_code']),
        message: String(row['failure_message']),
      })),
  };
}

/** A BYTEA column. */
export function toBytes(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) return new Uint8Array();
  // PostgreSQL's driver gives a Buffer, which behaves otherwise here and there.
  return new Uint8Array(value.buffer, value.byteOffset, value.length);
}
