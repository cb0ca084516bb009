import { ByteWriter } from '@sefleet/bytes';
import { integerFrom, isObjectLink, fitsType } from '../model/value.ts';
import type { Lwm2mValue, ResourceType } from '../model/value.ts';
import { contentInvalid, decodeUtf8 } from './typed-value.ts';

const UTF8 = new TextEncoder();

/** The value field of a TLV (Core appendix C). */
export function encodeTlvValue(value: Lwm2mValue, type: ResourceType): Uint8Array {
  if (typeof value === 'string') return UTF8.encode(value);
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'boolean') return Uint8Array.of(value ? 1 : 0);
  if (typeof value === 'object') {
    if (!isObjectLink(value)) return new Uint8Array();
    return new ByteWriter(4).u16(value.objectId).u16(value.instanceId).finish();
  }
  if (type === 'float') return encodeFloat(Number(value));
  return type === 'unsigned' ? encodeUnsigned(BigInt(value)) : encodeInteger(value);
}

/** The value field as `type`; without a type it stays opaque, since a TLV does not say what it holds. */
export function decodeTlvValue(bytes: Uint8Array, type: ResourceType | undefined): Lwm2mValue {
  switch (type) {
    case 'string':
    case 'corelnk':
      return decodeUtf8(bytes);
    case 'integer':
    case 'time':
      return decodeInteger(bytes);
    case 'unsigned':
      return decodeUnsigned(bytes);
    case 'float':
      return decodeFloat(bytes);
    case 'boolean':
      if (bytes.length !== 1 || (bytes[0] ?? 2) > 1) throw contentInvalid('not a boolean');
      return bytes[0] === 1;
    case 'objlnk':
      if (bytes.length !== 4) throw contentInvalid('not an object link');
      return { objectId: viewOf(bytes).getUint16(0), instanceId: viewOf(bytes).getUint16(2) };
    default:
      return bytes.slice();
  }
}

function encodeInteger(value: number | bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, BigInt(value));
  const size = signedSize(value);
  return new Uint8Array(view.buffer, 8 - size, size);
}

function signedSize(value: number | bigint): number {
  if (value >= -0x80 && value <= 0x7f) return 1;
  if (value >= -0x8000 && value <= 0x7fff) return 2;
  return value >= -0x80000000 && value <= 0x7fffffff ? 4 : 8;
}

function encodeUnsigned(value: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value);
  const size = value <= 0xffn ? 1 : value <= 0xffffn ? 2 : value <= 0xffffffffn ? 4 : 8;
  return new Uint8Array(view.buffer, 8 - size, size);
}

function encodeFloat(value: number): Uint8Array {
  const single = Object.is(Math.fround(value), value);
  const view = new DataView(new ArrayBuffer(single ? 4 : 8));
  if (single) view.setFloat32(0, value);
  else view.setFloat64(0, value);
  return new Uint8Array(view.buffer);
}

function decodeInteger(bytes: Uint8Array): number | bigint {
  const view = viewOf(bytes);
  switch (bytes.length) {
    case 1:
      return view.getInt8(0);
    case 2:
      return view.getInt16(0);
    case 4:
      return view.getInt32(0);
    case 8:
      return integerFrom(view.getBigInt64(0));
    default:
      throw contentInvalid('an integer has 1, 2, 4 or 8 bytes');
  }
}

function decodeUnsigned(bytes: Uint8Array): number | bigint {
  const view = viewOf(bytes);
  switch (bytes.length) {
    case 1:
      return view.getUint8(0);
    case 2:
      return view.getUint16(0);
    case 4:
      return view.getUint32(0);
    case 8: {
      const value = integerFrom(view.getBigUint64(0));
      if (!fitsType(value, 'unsigned')) throw contentInvalid('not unsigned');
      return value;
    }
    default:
      throw contentInvalid('an unsigned integer has 1, 2, 4 or 8 bytes');
  }
}

function decodeFloat(bytes: Uint8Array): number {
  if (bytes.length === 4) return viewOf(bytes).getFloat32(0);
  if (bytes.length === 8) return viewOf(bytes).getFloat64(0);
  throw contentInvalid('a float has 4 or 8 bytes');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
