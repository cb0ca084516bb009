import { metricNamed } from '@sefleet/cose';
import { encodeTlv, STATUS_WORD } from '@sefleet/globalplatform';
import { refuse } from '../../card/refusal.ts';
import { defineMeasuringApplet } from '../measuring/measuring-applet.ts';
import type { Measured } from '../measuring/measuring-applet.ts';
import { doubleBytes, readDouble, registerOf, writeDouble } from '../measuring/measuring-state.ts';
import { VEHICLE_MODULE } from './identifiers.ts';
import { VEHICLE_TAG } from './vehicle-protocol.ts';

/** What vehicle diagnostics keep for their owner. */
interface VehicleState {
  /** Odometer where the present or last trip began, in metres. */
  readonly tripStartM: number;
  readonly trips: number;
  readonly isMoving: boolean;
  /** Trouble codes, each once. */
  readonly codes: readonly number[];
}

const SPEED = metricNamed('speedKmh')?.id ?? 0;
const ODOMETER = metricNamed('odometerM')?.id ?? 0;
const INITIAL: VehicleState = { tripStartM: 0, trips: 0, isMoving: false, codes: [] };
/** As many as a control unit stores; further ones are refused until the garage clears them. */
const MAX_CODES = 64;
const CODE_BYTES = 2;

/**
 * Vehicle diagnostics: an odometer that only grows, trips that the card itself counts, and trouble codes that
 * the device reports and only the owner reads and clears. A new owner finds neither trips nor codes.
 */
export const VEHICLE_APPLET = defineMeasuringApplet<VehicleState>({
  module: VEHICLE_MODULE,
  name: 'vehicle diagnostics',
  growing: ['odometerM'],
  initial: INITIAL,
  measure: (own, measured) => ({ own: drive(own, measured) }),
  handOver: (_, measured) => ({ ...INITIAL, tripStartM: registerOf(measured.after, ODOMETER) ?? 0 }),
  describe: (own, registers) => {
    const odometerM = registerOf(registers, ODOMETER);
    const { trips, codes } = own;
    return Buffer.concat([
      ...(odometerM === undefined ? [] : [encodeTlv(VEHICLE_TAG.ODOMETER, doubleBytes(odometerM))]),
      encodeTlv(VEHICLE_TAG.TRIPS, Uint8Array.of(trips >>> 24, trips >> 16, trips >> 8, trips)),
      encodeTlv(
        VEHICLE_TAG.TRIP_DISTANCE,
        doubleBytes(trips === 0 ? 0 : (odometerM ?? own.tripStartM) - own.tripStartM),
      ),
      encodeTlv(VEHICLE_TAG.TROUBLE_CODES, Uint8Array.from(codes.flatMap((code) => [code >> 8, code]))),
    ]);
  },
  clear: (own) => ({ ...own, codes: [] }),
  report: (own, data) => {
    if (data.length === 0 || data.length % CODE_BYTES !== 0) return refuse(STATUS_WORD.WRONG_DATA);
    const codes = new Set(own.codes);
    for (let at = 0; at < data.length; at += CODE_BYTES)
      codes.add(((data[at] ?? 0) << 8) | (data[at + 1] ?? 0));
    return codes.size > MAX_CODES ? refuse(STATUS_WORD.NOT_ENOUGH_MEMORY) : { ...own, codes: [...codes] };
  },
  encode: (writer, own) => {
    writeDouble(writer.u8(own.isMoving ? 1 : 0).u32(own.trips), own.tripStartM).u8(own.codes.length);
    for (const code of own.codes) writer.u16(code);
  },
  decode: (reader) => {
    const isMoving = reader.u8() !== 0;
    const trips = reader.u32();
    const tripStartM = readDouble(reader);
    const codes = Array.from({ length: reader.u8() }, () => reader.u16());
    return { isMoving, trips, tripStartM, codes };
  },
});

/** A trip begins with the first reading in motion after one at rest. */
function drive(own: VehicleState, { reading, before, after }: Measured): VehicleState {
  const speed = reading.values.find(([metric]) => metric === SPEED)?.[1];
  if (speed === undefined) return own;
  const isMoving = speed > 0;
  if (!isMoving || own.isMoving) return isMoving === own.isMoving ? own : { ...own, isMoving };
  const tripStartM = registerOf(before, ODOMETER) ?? registerOf(after, ODOMETER) ?? own.tripStartM;
  return { ...own, isMoving, trips: own.trips + 1, tripStartM };
}
