import {
  decodeTlvs,
  encodeDgis,
  findTlv,
  installForPersonalizationCommand,
  storeDataCommands,
} from '@sefleet/globalplatform';
import type { CommandApdu, Tlv } from '@sefleet/globalplatform';
import { MEASURING_COMMAND, MEASURING_DGI, MEASURING_TAG } from '../applets/measuring/measuring-protocol.ts';
import { doubleOf } from '../applets/measuring/measuring-state.ts';
import { METERING_TAG } from '../applets/metering/metering-protocol.ts';
import { encodeTariff } from '../applets/metering/tariff.ts';
import type { Tariff } from '../applets/metering/tariff.ts';
import { VEHICLE_TAG } from '../applets/vehicle/vehicle-protocol.ts';
import { encodeBounds } from '../applets/vital-signs/vital-signs-applet.ts';
import type { VitalBounds } from '../applets/vital-signs/vital-signs-applet.ts';
import { VITAL_SIGNS_TAG } from '../applets/vital-signs/vital-signs-protocol.ts';

/** What a metering applet keeps for its supplier. */
export interface MeterRegisters {
  /** Highest value so far by metric id. */
  readonly totals: ReadonlyMap<number, number>;
  /** Consumption by number of the rate, in Wh; adds up to the total's growth since `sinceWh`. */
  readonly ratesWh: ReadonlyMap<number, number>;
  /** The total register where accounting by rates began; undefined before that. */
  readonly sinceWh: number | undefined;
}

/** What vehicle diagnostics keep for their owner. */
export interface VehicleDiagnostics {
  readonly odometerM: number | undefined;
  readonly trips: number;
  readonly tripDistanceM: number;
  readonly troubleCodes: readonly number[];
}

/** What vital signs keep for the healthcare provider. */
export interface VitalSignsAlarm {
  /** Metric ids that were out of bounds since the last CLEAR. */
  readonly metrics: readonly number[];
  readonly sinceMs: number | undefined;
}

/**
 * The commands that give a metering applet its supplier's tariff, for an open session with the supplier's
 * Security Domain under its own keys.
 */
export function tariffCommands(application: Uint8Array, tariff: Tariff): readonly CommandApdu[] {
  return personalise(application, MEASURING_DGI.TARIFF, encodeTariff(tariff));
}

/** The same for the bounds of vital signs. */
export function vitalBoundsCommands(
  application: Uint8Array,
  bounds: readonly VitalBounds[],
): readonly CommandApdu[] {
  return personalise(application, MEASURING_DGI.BOUNDS, encodeBounds(bounds));
}

/**
 * STATUS for the owner: to be sent in a session of level 33 that was opened on the applet itself. The answer
 * is read by {@link readMeterRegisters}, {@link readVehicleDiagnostics} or {@link readVitalSignsAlarm}.
 */
export function ownerStatusCommand(): CommandApdu {
  return { cla: 0x80, ins: MEASURING_COMMAND.STATUS, p1: 0, p2: 0, data: new Uint8Array(0), le: 0x100 };
}

/** CLEAR: trouble codes, or the alarm. */
export function clearCommand(): CommandApdu {
  return { cla: 0x80, ins: MEASURING_COMMAND.CLEAR, p1: 0, p2: 0, data: new Uint8Array(0), le: 0x100 };
}

/** Undefined when the answer is for somebody who is not the owner. */
export function readMeterRegisters(status: Uint8Array): MeterRegisters | undefined {
  const own = ownObjects(status);
  if (own === undefined) return undefined;
  const table = (tag: number, idBytes: number) =>
    new Map(
      own
        .filter((object) => object.tag === tag)
        .map(({ value }) => [numberOf(value.subarray(0, idBytes)), doubleOf(value.subarray(idBytes))]),
    );
  const since = findTlv(own, METERING_TAG.SINCE);
  return {
    totals: table(METERING_TAG.REGISTER, 2),
    ratesWh: table(METERING_TAG.RATE, 1),
    sinceWh: since && doubleOf(since),
  };
}

/** Undefined when the answer is for somebody who is not the owner. */
export function readVehicleDiagnostics(status: Uint8Array): VehicleDiagnostics | undefined {
  const own = ownObjects(status);
  if (own === undefined) return undefined;
  const odometer = findTlv(own, VEHICLE_TAG.ODOMETER);
  const distance = findTlv(own, VEHICLE_TAG.TRIP_DISTANCE);
  return {
    odometerM: odometer && doubleOf(odometer),
    trips: numberOf(findTlv(own, VEHICLE_TAG.TRIPS)),
    tripDistanceM: distance === undefined ? 0 : doubleOf(distance),
    troubleCodes: pairs(findTlv(own, VEHICLE_TAG.TROUBLE_CODES)),
  };
}

/** Undefined when the answer is for somebody who is not the owner. */
export function readVitalSignsAlarm(status: Uint8Array): VitalSignsAlarm | undefined {
  const own = ownObjects(status);
  if (own === undefined) return undefined;
  const since = findTlv(own, VITAL_SIGNS_TAG.ALARM_SINCE);
  return { metrics: pairs(findTlv(own, VITAL_SIGNS_TAG.ALARM)), sinceMs: since && numberOf(since) };
}

function personalise(application: Uint8Array, id: number, data: Uint8Array): readonly CommandApdu[] {
  return [
    installForPersonalizationCommand(application),
    ...storeDataCommands(encodeDgis([{ id, data }]), { format: 'dgi' }),
  ];
}

function ownObjects(status: Uint8Array): readonly Tlv[] | undefined {
  const own = findTlv(decodeTlvs(status), MEASURING_TAG.OWN);
  return own && decodeTlvs(own);
}

function numberOf(bytes: Uint8Array = new Uint8Array(0)): number {
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

function pairs(bytes: Uint8Array = new Uint8Array(0)): readonly number[] {
  return Array.from({ length: bytes.length / 2 }, (_, i) => numberOf(bytes.subarray(2 * i, 2 * i + 2)));
}
