import type { Aid } from '@sefleet/globalplatform';
import type { PartyId } from './party.ts';

/**
 * How far the rotation of one device has come. `installing` is written before the new keys leave the house
 * and
 * `installed` after the card has confirmed them: between the two, only the card knows which keys it holds.
 */
export type RotationStep = 'planned' | 'installing' | 'installed' | 'confirmed' | 'failed';

/** What moves a rotation on. */
export type RotationInput = 'install' | 'already-installed' | 'key-confirmed' | 'old-key-refused' | 'give-up';

const STEPS: Readonly<Record<RotationStep, Partial<Readonly<Record<RotationInput, RotationStep>>>>> = {
  planned: { install: 'installing', 'already-installed': 'installed', 'give-up': 'failed' },
  installing: {
    install: 'installing',
    'already-installed': 'installed',
    'key-confirmed': 'installed',
    'give-up': 'failed',
  },
  installed: { 'already-installed': 'installed', 'old-key-refused': 'confirmed', 'give-up': 'failed' },
  confirmed: {},
  failed: {},
};

/** The step after `input`, or undefined when it is out of order. */
export function nextRotationStep(step: RotationStep, input: RotationInput): RotationStep | undefined {
  return STEPS[step][input];
}

/** True when nothing more will happen. */
export function isRotationOver(step: RotationStep): boolean {
  return step === 'confirmed' || step === 'failed';
}

/** The rotation of one device's Security Domain, as the journal has it. */
export interface DeviceRotation {
  readonly rotationId: string;
  readonly endpoint: string;
  readonly domain: Aid;
  readonly party: PartyId;
  readonly step: RotationStep;
  readonly fromGeneration: number;
  readonly toGeneration: number;
}

/** How the rotation of one device ended. */
export interface RotationOutcome {
  /** Milliseconds since 1970. */
  readonly finishedAt: number;
  readonly durationMs: number;
  readonly oldKeyRefused: boolean;
  readonly failure?: { readonly code: string; readonly message: string };
}

/** A rotation of a stakeholder's keys on a cohort. */
export interface Rotation {
  readonly rotationId: string;
  readonly stakeholder: string;
  readonly concurrency: number;
  readonly total: number;
}

/** How far a rotation has come. */
export interface RotationProgress extends Rotation {
  readonly attempted: number;
  readonly confirmed: number;
  readonly oldKeyRefused: number;
  readonly failed: number;
  readonly done: boolean;
  /** Of the devices that are through, ascending, in milliseconds. */
  readonly durationsMs: readonly number[];
  readonly failures: readonly {
    readonly endpoint: string;
    readonly code: string;
    readonly message: string;
  }[];
}
