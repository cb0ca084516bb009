import { Lwm2mPath } from '@sefleet/lwm2m';
import type { Lwm2mEntry, Lwm2mValue } from '@sefleet/lwm2m';
import type { DeviceEvent, DeviceEventType } from './device-event.ts';

/** A value as JSON: what JSON does not have is an object of one member. */
type PlainValue =
  | string
  | number
  | boolean
  | null
  | { readonly i: string }
  | { readonly f: string }
  | { readonly b: string }
  | { readonly o: readonly [number, number] };
type PlainEntry = readonly [path: string, value: PlainValue, timeSeconds?: number | null, prefix?: string];
type PlainEvent = readonly [
  type: DeviceEventType,
  endpoint: string,
  kind: string,
  atMs: number,
  path: string,
  entries: readonly PlainEntry[],
  operation?: readonly [id: string, code: string] | null,
  reason?: string,
];

/** Events as text for a store. */
export function encodeEvents(events: readonly DeviceEvent[]): string {
  return JSON.stringify(events.map(toPlain));
}

/** Events from a store's text, which this module alone has written. */
export function decodeEvents(text: string): readonly DeviceEvent[] {
  return (JSON.parse(text) as readonly PlainEvent[]).map(fromPlain);
}

function toPlain(event: DeviceEvent): PlainEvent {
  const { type, endpoint, kind, atMs, path, entries, operation, reason } = event;
  const plain = [type, endpoint, kind, atMs, path, entries.map(toPlainEntry)] as const;
  const about = operation === undefined ? null : ([operation.id, operation.code] as const);
  if (reason !== undefined) return [...plain, about, reason];
  return about === null ? plain : [...plain, about];
}

function fromPlain(plain: PlainEvent): DeviceEvent {
  const [type, endpoint, kind, atMs, path, entries, operation, reason] = plain;
  return {
    type,
    endpoint,
    kind,
    atMs,
    path,
    entries: entries.map(fromPlainEntry),
    ...(operation === undefined || operation === null
      ? {}
      : { operation: { id: operation[0], code: operation[1] } }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function toPlainEntry({ path, value, timeSeconds, prefix }: Lwm2mEntry): PlainEntry {
  const plain = [path.toString(), value === null ? null : toPlainValue(value)] as const;
  if (prefix !== undefined) return [...plain, timeSeconds ?? null, prefix];
  return timeSeconds === undefined ? plain : [...plain, timeSeconds];
}

function fromPlainEntry([path, value, timeSeconds, prefix]: PlainEntry): Lwm2mEntry {
  return {
    path: Lwm2mPath.parse(path),
    value: fromPlainValue(value),
    ...(prefix === undefined ? {} : { prefix }),
    ...(timeSeconds === undefined || timeSeconds === null ? {} : { timeSeconds }),
  };
}

function toPlainValue(value: Lwm2mValue): PlainValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      // JSON has neither infinities nor the zero below zero.
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { f: Object.is(value, -0) ? '-0' : `${value}` };
    case 'bigint':
      return { i: value.toString() };
    default:
      return value instanceof Uint8Array
        ? { b: Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64') }
        : { o: [value.objectId, value.instanceId] };
  }
}

function fromPlainValue(value: PlainValue): Lwm2mValue | null {
  if (value === null || typeof value !== 'object') return value;
  if ('b' in value) return new Uint8Array(Buffer.from(value.b, 'base64'));
  if ('i' in value) return BigInt(value.i);
  if ('f' in value) return Number(value.f);
  return { objectId: value.o[0], instanceId: value.o[1] };
}
