import type { ByteReader, ByteWriter } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { metricNamed } from '@sefleet/cose';
import { encodeTlv, STATUS_WORD } from '@sefleet/globalplatform';
import { refuse } from '../../card/refusal.ts';
import { defineMeasuringApplet, growthOf } from '../measuring/measuring-applet.ts';
import type { Measured } from '../measuring/measuring-applet.ts';
import { MEASURING_DGI } from '../measuring/measuring-protocol.ts';
import { doubleBytes, readDouble, registerOf, writeDouble } from '../measuring/measuring-state.ts';
import { METERING_MODULE } from './identifiers.ts';
import { METERING_TAG } from './metering-protocol.ts';
import { decodeTariff, encodeTariff, MAX_RATES, rateAt, timePerRate } from './tariff.ts';
import type { Tariff } from './tariff.ts';

/** What a metering applet keeps for its supplier. */
interface MeteringState {
  readonly tariff: Tariff | undefined;
  /** What has been consumed at each rate since the supplier's first tariff, in Wh. */
  readonly rates: readonly number[];
  /** The total register where accounting by rates began; undefined while there is no reading. */
  readonly sinceWh: number | undefined;
  /** Time of the last reading; 0 before the first. */
  readonly readAtMs: number;
}

const ACTIVE_ENERGY = metricNamed('activeEnergyWh')?.id ?? 0;
/** What a register of six digits of kWh and three behind the point counts up to. */
const REGISTER_CAPACITY_WH = 1_000_000_000;
const NO_RATES: readonly number[] = Array<number>(MAX_RATES).fill(0);

/**
 * Metering: total registers that only grow, and a register for each rate of the supplier's tariff. The device
 * gives the count of its metrology; the card takes what it grew by as consumption and books it to the rates
 * that were in force since the reading before. A reading is a count and not an increment, so that asking
 * again after a lost answer books nothing twice.
 */
export const METERING_APPLET = defineMeasuringApplet<MeteringState>({
  module: METERING_MODULE,
  name: 'metering',
  growing: ['activeEnergyWh', 'exportedEnergyWh'],
  capacity: REGISTER_CAPACITY_WH,
  initial: { tariff: undefined, rates: NO_RATES, sinceWh: undefined, readAtMs: 0 },
  measure: (own, measured) => ({ own: account(own, measured) }),
  handOver: (parameters, measured) => ({
    tariff: tariffIn(parameters),
    rates: NO_RATES,
    sinceWh: registerOf(measured.after, ACTIVE_ENERGY),
    readAtMs: measured.reading.timestampMs,
  }),
  describe: (own, registers) =>
    Buffer.concat([
      ...registers.map(([metric, value]) =>
        encodeTlv(METERING_TAG.REGISTER, Uint8Array.of(metric >> 8, metric), doubleBytes(value)),
      ),
      ...own.rates.map((wh, i) => encodeTlv(METERING_TAG.RATE, Uint8Array.of(i + 1), doubleBytes(wh))),
      ...(own.sinceWh === undefined ? [] : [encodeTlv(METERING_TAG.SINCE, doubleBytes(own.sinceWh))]),
      ...(own.tariff === undefined ? [] : [encodeTlv(METERING_TAG.TARIFF, encodeTariff(own.tariff))]),
    ]),
  store: (own, dgis, registers) => {
    const [first, ...rest] = dgis;
    if (first?.id !== MEASURING_DGI.TARIFF || rest.length > 0) return refuse(STATUS_WORD.WRONG_DATA);
    const tariff = decodeTariff(first.data);
    const began = own.tariff === undefined ? registerOf(registers, ACTIVE_ENERGY) : own.sinceWh;
    return { ...own, tariff, sinceWh: began };
  },
  encode: (writer, own) => {
    writeOptional(writer, own.tariff === undefined ? undefined : encodeTariff(own.tariff));
    writeOptional(writer, own.sinceWh === undefined ? undefined : doubleBytes(own.sinceWh));
    writer.u48(own.readAtMs);
    const used = own.rates.flatMap((wh, i) => (wh === 0 ? [] : [[i, wh] as const]));
    writer.u8(used.length);
    for (const [i, wh] of used) writeDouble(writer.u8(i), wh);
  },
  decode: (reader) => {
    const tariff = readOptional(reader, (part) => decodeTariff(part.rest()));
    const sinceWh = readOptional(reader, readDouble);
    const readAtMs = reader.u48();
    const rates = NO_RATES.slice();
    for (let left = reader.u8(); left > 0; left--) rates[reader.u8()] = readDouble(reader);
    return { tariff, sinceWh, readAtMs, rates };
  },
});

/**
 * Books what was consumed since the reading before, in proportion to the time of each rate and in whole Wh;
 * what is left over goes to the rate in force now, so that the rates always add up to the total.
 */
function account(own: MeteringState, measured: Measured): MeteringState {
  const { timestampMs } = measured.reading;
  const totalWh = registerOf(measured.after, ACTIVE_ENERGY);
  if (totalWh === undefined) return own;
  const { tariff, sinceWh, readAtMs } = own;
  if (tariff === undefined) return { ...own, readAtMs: timestampMs };
  const consumed = growthOf(measured, ACTIVE_ENERGY);
  if (sinceWh === undefined || consumed === undefined) {
    return { ...own, sinceWh: sinceWh ?? totalWh, readAtMs: timestampMs };
  }
  const current = rateAt(tariff, timestampMs);
  const spanMs = timestampMs - readAtMs;
  const spans = spanMs > 0 ? timePerRate(tariff, readAtMs, timestampMs) : NO_RATES;
  const rates = own.rates.map((wh, i) =>
    i === current - 1 ? wh : wh + Math.floor((consumed * (spans[i] ?? 0)) / Math.max(spanMs, 1)),
  );
  const booked = own.rates.reduce((sum, wh) => sum + wh, 0);
  const others = rates.reduce((sum, wh, i) => (i === current - 1 ? sum : sum + wh), 0);
  // By what was consumed and not by the register, which can have begun at 0 again.
  return { ...own, rates: rates.with(current - 1, booked + consumed - others), readAtMs: timestampMs };
}

/** A tariff that was staged and is none must not hold up a cut-over: its owner can store another. */
function tariffIn(parameters: Uint8Array): Tariff | undefined {
  if (parameters.length === 0) return undefined;
  try {
    return decodeTariff(parameters);
  } catch (error) {
    if (isSefleetError(error)) return undefined;
    throw error;
  }
}

function writeOptional(writer: ByteWriter, bytes: Uint8Array | undefined): void {
  writer.lengthPrefixed(1, (body) => body.bytes(bytes ?? new Uint8Array(0)));
}

function readOptional<T>(reader: ByteReader, read: (part: ByteReader) => T): T | undefined {
  const length = reader.u8();
  return length === 0 ? undefined : read(reader.sub(length));
}
