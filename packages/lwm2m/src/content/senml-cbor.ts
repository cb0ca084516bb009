import type { ModelRegistry } from '../model/model-registry.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { CborFloat, CborMap, CborTag, decodeCbor } from './cbor/cbor-reader.ts';
import type { CborItem } from './cbor/cbor-reader.ts';
import { CborWriter } from './cbor/cbor-writer.ts';
import { readCborValue } from './cbor-value.ts';
import type { Lwm2mEntry } from './entry.ts';
import { layOutSenml, resolveSenml, SENML_VERSION, senmlLink } from './senml.ts';
import type { SenmlContext, SenmlOutput, SenmlRecord } from './senml.ts';
import { contentInvalid } from './typed-value.ts';

/** RFC 8428 §6, table 4. */
const LABEL = { BVER: -1, BN: -2, BT: -3, BV: -5, N: 0, V: 2, VS: 3, VB: 4, T: 6, VD: 8 } as const;
/** Core §7.4.5: the one label that LwM2M adds has no number. */
const LABEL_VLO = 'vlo';

/** Content formats 112 and 322. */
export function encodeSenmlCbor(
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): Uint8Array {
  const outputs = layOutSenml(base, entries, models);
  const writer = new CborWriter().array(outputs.length);
  for (const output of outputs) writeRecord(writer, output);
  return writer.finish();
}

/** Content formats 112 and 322. `context` makes names and times absolute. */
export function decodeSenmlCbor(
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
  context: SenmlContext = {},
): readonly Lwm2mEntry[] {
  const pack = decodeCbor(payload);
  if (!Array.isArray(pack)) throw contentInvalid('a SenML pack is an array');
  return resolveSenml(pack.map(readRecord), base, models, context);
}

function writeRecord(writer: CborWriter, record: SenmlOutput): void {
  const { bn, bt, n, t, value } = record;
  let pairs = value === null ? 0 : 1;
  for (const field of [bn, bt, n, t]) if (field !== undefined) pairs++;
  writer.map(pairs);
  if (bn !== undefined) writer.integer(LABEL.BN).text(bn);
  if (bt !== undefined) writeTime(writer.integer(LABEL.BT), bt);
  if (n !== undefined) writer.integer(LABEL.N).text(n);
  if (value !== null) writeValue(writer, record);
  if (t !== undefined) writeTime(writer.integer(LABEL.T), t);
}

function writeTime(writer: CborWriter, seconds: number): void {
  if (Number.isSafeInteger(seconds)) writer.integer(seconds);
  else writer.float(seconds);
}

function writeValue(writer: CborWriter, { value, type }: SenmlOutput): void {
  if (typeof value === 'string') writer.integer(LABEL.VS).text(value);
  else if (typeof value === 'boolean') writer.integer(LABEL.VB).boolean(value);
  else if (value instanceof Uint8Array) writer.integer(LABEL.VD).bytes(value);
  else if (typeof value === 'number' || typeof value === 'bigint') {
    writer.integer(LABEL.V);
    if (type === 'float') writer.float(Number(value));
    else writer.integer(value);
  } else if (value !== null) writer.text(LABEL_VLO).text(senmlLink(value));
}

function readRecord(item: CborItem): SenmlRecord {
  if (!(item instanceof CborMap)) throw contentInvalid('a SenML record is a map');
  const record: SenmlRecord = {};
  for (const [label, value] of item.pairs) readField(record, label, value);
  return record;
}

function readField(record: SenmlRecord, label: CborItem, item: CborItem): void {
  switch (label) {
    case LABEL.BN:
      record.bn = asText(item);
      return;
    case LABEL.N:
      record.n = asText(item);
      return;
    case LABEL.BT:
      record.bt = Number(asNumber(item));
      return;
    case LABEL.T:
      record.t = Number(asNumber(item));
      return;
    case LABEL.BV:
      record.bv = asNumber(item);
      return;
    case LABEL.BVER:
      if (asNumber(item) > SENML_VERSION) throw contentInvalid('a newer version of SenML');
      return;
    case LABEL_VLO:
      record.vlo = asText(item);
      return;
    default:
      readValueField(record, label, item);
  }
}

function readValueField(record: SenmlRecord, label: CborItem, item: CborItem): void {
  // SenML-ETCH: a null value removes what the record names (RFC 8790 §3.2).
  if (item === null && typeof label === 'number' && label > 0) return;
  switch (label) {
    case LABEL.V:
      record.v = asNumber(item);
      record.vIsFloat = item instanceof CborFloat || item instanceof CborTag;
      return;
    case LABEL.VS:
      record.vs = asText(item);
      return;
    case LABEL.VB:
      if (typeof item !== 'boolean') throw contentInvalid('vb is a boolean');
      record.vb = item;
      return;
    case LABEL.VD:
      if (!(item instanceof Uint8Array)) throw contentInvalid('vd is a byte string');
      record.vd = item.slice();
      return;
    default:
      // RFC 8428 §4.4: a label that ends in '_' has to be understood.
      if (typeof label === 'string' && label.endsWith('_')) throw contentInvalid('a label not understood');
      if (typeof label !== 'string' && typeof label !== 'number') throw contentInvalid('not a SenML label');
  }
}

function asText(item: CborItem): string {
  if (typeof item !== 'string') throw contentInvalid('not a text string');
  return item;
}

function asNumber(item: CborItem): number | bigint {
  if (typeof item === 'number') return item;
  if (item instanceof CborFloat) return item.value;
  if (item instanceof CborTag || typeof item === 'bigint') {
    const value = readCborValue(item, undefined);
    if (typeof value === 'number' || typeof value === 'bigint') return value;
  }
  throw contentInvalid('not a number');
}
