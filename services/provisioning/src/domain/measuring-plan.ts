import { metricNamed } from '@sefleet/cose';
import type { Aid, CommandApdu } from '@sefleet/globalplatform';
import {
  encodeBounds,
  encodeTariff,
  METERING_LOAD_FILE,
  METERING_MODULE,
  tariffCommands,
  VEHICLE_LOAD_FILE,
  VEHICLE_MODULE,
  VITAL_SIGNS_LOAD_FILE,
  VITAL_SIGNS_MODULE,
  vitalBoundsCommands,
  type Tariff,
  type VitalBounds,
} from '@sefleet/secure-element';
import type { DeviceKind } from './device-kind.ts';

/** The applet that seals the readings of a kind of device. */
export const MEASURING_APPLETS: Readonly<
  Record<DeviceKind, { readonly loadFile: Aid; readonly module: Aid }>
> = {
  'smart-meter': { loadFile: METERING_LOAD_FILE, module: METERING_MODULE },
  obu: { loadFile: VEHICLE_LOAD_FILE, module: VEHICLE_MODULE },
  'rpm-gateway': { loadFile: VITAL_SIGNS_LOAD_FILE, module: VITAL_SIGNS_MODULE },
};

const EVERY_DAY = 0x7f;
const WORKDAYS = 0x1f;
const WEEKEND = 0x60;
const HOUR = 60;

/** A day and a night rate by Central European standard time; weekends are night. */
const DAY_AND_NIGHT: Tariff = {
  offsetMinutes: HOUR,
  switches: [
    { days: WORKDAYS, minute: 6 * HOUR, rate: 1 },
    { days: EVERY_DAY, minute: 22 * HOUR, rate: 2 },
    { days: WEEKEND, minute: 0, rate: 2 },
  ],
};

/**
 * When a healthcare provider wants to hear of it: a single sign that scores 3 by itself in the National Early
 * Warning Score 2 (Royal College of Physicians, 2017).
 */
const WARNING_BOUNDS: readonly VitalBounds[] = [
  bound('heartRate', 41, 130),
  bound('oxygenSaturation', 92, 100),
  bound('respiratoryRate', 9, 24),
  bound('bodyTemperature', 35.1, 41),
  bound('systolicPressure', 91, 219),
];

/** What a supplier gives to its applet, as it stages it for a cut-over. */
export function stagedParameters(kind: DeviceKind): Uint8Array {
  switch (kind) {
    case 'smart-meter':
      return encodeTariff(DAY_AND_NIGHT);
    case 'rpm-gateway':
      return encodeBounds(WARNING_BOUNDS);
    case 'obu':
      return new Uint8Array(0);
    default:
      return kind satisfies never;
  }
}

/** The same by personalisation, for a session with the supplier's own domain. */
export function ownerCommands(kind: DeviceKind, application: Uint8Array): readonly CommandApdu[] {
  switch (kind) {
    case 'smart-meter':
      return tariffCommands(application, DAY_AND_NIGHT);
    case 'rpm-gateway':
      return vitalBoundsCommands(application, WARNING_BOUNDS);
    case 'obu':
      return [];
    default:
      return kind satisfies never;
  }
}

function bound(name: string, low: number, high: number): VitalBounds {
  return { metric: metricNamed(name)?.id ?? 0, low, high };
}
