import type { ModelRegistry } from '../model/model-registry.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { lwm2mError } from '../errors.ts';
import type { Lwm2mEntry } from './entry.ts';
import { asNumber, asRecord, asText, parseJson } from './json-text.ts';
import { layOutSenml, resolveSenml, SENML_VERSION, senmlLabel, senmlLink } from './senml.ts';
import type { SenmlContext, SenmlOutput, SenmlRecord } from './senml.ts';
import { contentInvalid } from './typed-value.ts';

const UTF8 = new TextEncoder();
const BASE64URL = /^[A-Za-z0-9_-]*={0,2}$/;
/** Records in one payload; more is refused before they are looked at. */
const RECORDS_MAX = 10_000;

/** Content formats 110 and 320. */
export function encodeSenmlJson(
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): Uint8Array {
  return UTF8.encode(`[${layOutSenml(base, entries, models).map(formatRecord).join()}]`);
}

/** Content formats 110 and 320. `context` makes names and times absolute. */
export function decodeSenmlJson(
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
  context: SenmlContext = {},
): readonly Lwm2mEntry[] {
  const pack = parseJson(payload);
  if (!Array.isArray(pack)) throw contentInvalid('a SenML pack is an array');
  if (pack.length > RECORDS_MAX) throw contentInvalid('too many records');
  return resolveSenml(pack.map(readRecord), base, models, context);
}

function formatRecord({ bn, bt, n, t, value, type }: SenmlOutput): string {
  const fields: string[] = [];
  if (bn !== undefined) fields.push(`"bn":${JSON.stringify(bn)}`);
  if (bt !== undefined) fields.push(`"bt":${bt}`);
  if (n !== undefined) fields.push(`"n":${JSON.stringify(n)}`);
  if (value !== null) {
    // RFC 8428 §4.3: JSON has no form for NaN and the infinities.
    if (type === 'float' && !Number.isFinite(value)) {
      throw lwm2mError('LWM2M_NOT_ACCEPTABLE', 'JSON has no form for this number');
    }
    const label = senmlLabel(value);
    fields.push(`"${label}":${formatValue(value)}`);
  }
  if (t !== undefined) fields.push(`"t":${t}`);
  return `{${fields.join()}}`;
}

function formatValue(value: NonNullable<SenmlOutput['value']>): string {
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64url'));
  if (typeof value === 'object') return JSON.stringify(senmlLink(value));
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}

function readRecord(item: unknown): SenmlRecord {
  const record: SenmlRecord = {};
  for (const [label, value] of asRecord(item)) readField(record, label, value);
  return record;
}

function readField(record: SenmlRecord, label: string, value: unknown): void {
  switch (label) {
    case 'bn':
    case 'n':
    case 'vlo':
      record[label] = asText(value);
      return;
    case 'bt':
    case 't':
      record[label] = Number(asNumber(value));
      return;
    case 'bv':
      record.bv = asNumber(value);
      return;
    case 'bver':
      if (asNumber(value) > SENML_VERSION) throw contentInvalid('a newer version of SenML');
      return;
    default:
      readValueField(record, label, value);
  }
}

function readValueField(record: SenmlRecord, label: string, value: unknown): void {
  // SenML-ETCH: a null value removes what the record names (RFC 8790 §3.2).
  if (value === null) return;
  switch (label) {
    case 'v':
      record.v = asNumber(value);
      record.vIsFloat = !Number.isInteger(value) && typeof value !== 'bigint';
      return;
    case 'vs':
      record.vs = asText(value);
      return;
    case 'vb':
      if (typeof value !== 'boolean') throw contentInvalid('vb is a boolean');
      record.vb = value;
      return;
    case 'vd': {
      const text = asText(value);
      if (!BASE64URL.test(text)) throw contentInvalid('vd is base64url');
      record.vd = Uint8Array.from(Buffer.from(text, 'base64url'));
      return;
    }
    default:
      // RFC 8428 §4.4: a label that ends in '_' has to be understood.
      if (label.endsWith('_')) throw contentInvalid('a label not understood');
  }
}
