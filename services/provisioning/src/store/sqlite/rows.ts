import { aid } from '@sefleet/globalplatform';
import type { StakeholderRole } from '../../domain/card-plan.ts';
import { DEFAULT_CONNECTIVITY, isSameConnectivity, type Connectivity } from '../../domain/connectivity.ts';
import type { DeviceKind } from '../../domain/device-kind.ts';
import { partyId } from '../../domain/party.ts';
import type { DeviceRotation, Rotation, RotationStep } from '../../domain/rotation.ts';
import type { Device, DomainState } from '../provisioning-store.ts';

/**
 * A row as node:sqlite gives it. The columns that these functions read are NOT NULL and written by this room
 * alone.
 */
export type Row = Readonly<Record<string, unknown>>;

/** A row of `devices`. */
export function toDevice(row: Row): Device {
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
export function toDomainState(row: Row): DomainState {
  return {
    endpoint: String(row['endpoint']),
    domain: aid(String(row['domain'])),
    role: String(row['role']) as StakeholderRole,
    party: partyId(String(row['party'])),
    generation: Number(row['generation']),
    rotatedAt: row['rotated_at'] === null ? undefined : Number(row['rotated_at']),
  };
}

/** A row of `rotations`. */
export function toRotation(row: Row): Rotation {
  return {
    rotationId: String(row['rotation_id']),
    stakeholder: String(row['stakeholder']),
    concurrency: Number(row['concurrency']),
    total: Number(row['total']),
  };
}

/** A row of `device_rotations`. */
export function toDeviceRotation(row: Row): DeviceRotation {
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

/** A BLOB column. */
export function toBytes(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array();
}
