import { decodeTelemetryRecord, metricNamed, RECORD_KEY_BYTES, sealTelemetryRecord } from '@sefleet/cose';
import {
  decodeDgis,
  decodeTlvs,
  encodeTlv,
  requireTlv,
  splitSymmetricValue,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { CommandApdu } from '@sefleet/globalplatform';
import { orRefuse, refuse } from '../../card/refusal.ts';
import { defineApplet } from '../applet.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { RECORDS_MODULE } from './identifiers.ts';
import { RECORDS_COMMAND, RECORDS_DGI, RECORDS_TAG } from './records-protocol.ts';
import { decodeRecordsState, encodeRecordsState } from './records-state.ts';
import type { RecordsOwner, RecordsState } from './records-state.ts';

type Context = AppletContext<RecordsState>;

const MAX_SEQUENCE = 0xffff_ffff_ffff;
const MAX_NAME_BYTES = 200;
/** Meters that only run forwards: energy in both directions, and an odometer. */
const GROWING = new Set(
  ['activeEnergyWh', 'exportedEnergyWh', 'odometerM'].map((name) => metricNamed(name)?.id ?? 0),
);

/**
 * Seals telemetry records for one stakeholder, with the key that the stakeholder put into it and a sequence
 * number that never repeats. Registers that only grow are refused when they run backwards.
 */
export const RECORDS_APPLET = defineApplet<RecordsState>({
  module: RECORDS_MODULE,
  name: 'records',
  install: () => ({ owner: undefined, sequence: 0, registers: [], closed: false }),
  process: (command, context) => {
    if (command.cla !== 0x80) return refuse(STATUS_WORD.CLA_NOT_SUPPORTED);
    switch (command.ins) {
      case RECORDS_COMMAND.SEAL:
        return seal(command, context);
      case RECORDS_COMMAND.STATUS:
        return describe(context.state);
      default:
        return refuse(STATUS_WORD.INS_NOT_SUPPORTED);
    }
  },
  store: personalise,
  encode: encodeRecordsState,
  decode: decodeRecordsState,
});

/**
 * The sequence number counts before the record leaves: a record that is lost leaves a gap and never a
 * repetition.
 */
function seal(command: CommandApdu, context: Context): Answer {
  const { state } = context;
  const owner = orRefuse(state.owner, STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (state.closed || state.sequence === MAX_SEQUENCE) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const record = decodeTelemetryRecord(command.data);
  if (record.sequence !== 0) refuse(STATUS_WORD.WRONG_DATA);
  const sequence = state.sequence + 1;
  const registers = advance(state.registers, record.values);
  const closing = command.p1 === RECORDS_COMMAND.CLOSING;
  const next = { ...state, sequence, registers, closed: closing };
  if (closing) context.state = next;
  else context.setCounter(next);
  return sealTelemetryRecord({ ...owner, record: { ...record, sequence } });
}

/** The registers after `values`; 6985 when one would run backwards. */
function advance(
  registers: RecordsState['registers'],
  values: readonly (readonly [number, number])[],
): RecordsState['registers'] {
  let next = registers;
  for (const [metric, value] of values) {
    if (!GROWING.has(metric)) continue;
    const at = next.findIndex(([id]) => id === metric);
    const before = next[at]?.[1];
    if (before !== undefined && value < before) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    next = at < 0 ? [...next, [metric, value]] : next.with(at, [metric, value]);
  }
  return next;
}

function describe(state: RecordsState): Uint8Array {
  const { owner, sequence } = state;
  const counter = Uint8Array.of(0, 0, 0, 0, 0, 0);
  for (let i = counter.length - 1, rest = sequence; i >= 0; i--, rest = Math.floor(rest / 256))
    counter[i] = rest & 0xff;
  const parts = [
    encodeTlv(RECORDS_TAG.SEQUENCE, counter),
    encodeTlv(RECORDS_TAG.CLOSED, Uint8Array.of(state.closed ? 1 : 0)),
  ];
  if (owner !== undefined) {
    parts.push(encodeTlv(RECORDS_TAG.STAKEHOLDER, Buffer.from(owner.stakeholder)));
    parts.push(encodeTlv(RECORDS_TAG.KEY_VERSION, versionBytes(owner.keyVersion)));
    parts.push(encodeTlv(RECORDS_TAG.ENDPOINT, Buffer.from(owner.endpoint)));
  }
  return Buffer.concat(parts);
}

/**
 * Both groupings, the owner and its key, or nothing: a new key without a version would seal under the wrong
 * name.
 */
function personalise(data: Uint8Array, _p1: number, context: Context): Answer {
  const dgis = decodeDgis(data);
  const description = dgis.find((dgi) => dgi.id === RECORDS_DGI.OWNER);
  const wrapped = dgis.find((dgi) => dgi.id === RECORDS_DGI.RECORD_KEY);
  if (description === undefined || wrapped === undefined || dgis.length !== 2)
    return refuse(STATUS_WORD.WRONG_DATA);
  const owner = readOwner(description.data, readKey(wrapped.data, context));
  const before = context.state;
  // Another stakeholder's registers are none of this one's business; the sequence goes on, as ledgers count
  // it.
  const same = before.owner?.stakeholder === owner.stakeholder;
  context.state = {
    ...before,
    owner,
    registers: same ? before.registers : [],
    closed: same && before.closed,
  };
  return new Uint8Array(0);
}

function readOwner(data: Uint8Array, recordKey: Uint8Array): RecordsOwner {
  const objects = decodeTlvs(data);
  const stakeholder = requireTlv(objects, RECORDS_TAG.STAKEHOLDER);
  const endpoint = requireTlv(objects, RECORDS_TAG.ENDPOINT);
  const version = requireTlv(objects, RECORDS_TAG.KEY_VERSION);
  const isName = ({ length }: Uint8Array): boolean => length > 0 && length <= MAX_NAME_BYTES;
  const keyVersion = version.reduce((sum, byte) => sum * 256 + byte, 0);
  if (!isName(stakeholder) || !isName(endpoint) || version.length > 4 || keyVersion === 0) {
    return refuse(STATUS_WORD.WRONG_DATA);
  }
  const text = new TextDecoder('utf-8');
  return { stakeholder: text.decode(stakeholder), keyVersion, endpoint: text.decode(endpoint), recordKey };
}

function readKey(data: Uint8Array, context: Context): Uint8Array {
  const { keyLength, ciphertext } = orRefuse(splitSymmetricValue(data), STATUS_WORD.WRONG_DATA);
  const plain = orRefuse(context.decryptSensitive(ciphertext), STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
  if (keyLength !== RECORD_KEY_BYTES) return refuse(STATUS_WORD.WRONG_DATA);
  return Uint8Array.from(plain.subarray(0, keyLength));
}

function versionBytes(version: number): Uint8Array {
  return Uint8Array.of(version >>> 24, version >> 16, version >> 8, version);
}
