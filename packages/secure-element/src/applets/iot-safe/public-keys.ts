import { decodeTlvs, encodeTlv, findTlv, requireTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { Tlv } from '@sefleet/globalplatform';
import { refuse } from '../../card/refusal.ts';
import { BRAINPOOL_P256R1, P256 } from './curves.ts';
import type { Curve } from './curves.ts';
import { CONTAINER_TYPE, IOT_SAFE_TAG as TAG } from './iot-safe-protocol.ts';
import { isRsaPublicKey } from './rsa.ts';
import type { RsaPublicKey } from './rsa.ts';

const POINT_LENGTH = 65;
const CURVES: ReadonlyMap<number, Curve> = new Map([
  [CONTAINER_TYPE.P256_PERSISTENT, P256],
  [CONTAINER_TYPE.P256_VOLATILE, P256],
  [CONTAINER_TYPE.BRAINPOOL_PERSISTENT, BRAINPOOL_P256R1],
  [CONTAINER_TYPE.BRAINPOOL_VOLATILE, BRAINPOOL_P256R1],
]);

/** The curve of a container type; undefined for RSA. */
export function curveOf(type: number): Curve | undefined {
  return CURVES.get(type);
}

/** True for the types of key containers, and for those whose keys a reset forgets. */
export function isKeyType(type: number): boolean {
  return CURVES.has(type) || type === CONTAINER_TYPE.RSA_2048;
}

/** True for containers whose keys live until the applet is deselected. */
export function isVolatile(type: number): boolean {
  return type === CONTAINER_TYPE.P256_VOLATILE || type === CONTAINER_TYPE.BRAINPOOL_VOLATILE;
}

/** A point as it stands in tag 49 (ISO/IEC 7816-8: 86). */
export function encodePoint(point: Uint8Array): Uint8Array {
  return encodeTlv(TAG.EC_POINT, point);
}

/** An RSA key as it stands in tag 49 (ISO/IEC 7816-8: 81 modulus, 82 exponent). */
export function encodeRsaKey({ modulus, exponent }: RsaPublicKey): Uint8Array {
  return Buffer.concat([encodeTlv(TAG.RSA_MODULUS, modulus), encodeTlv(TAG.RSA_EXPONENT, exponent)]);
}

/** A public key as it travels: 34{49{...}}. */
export function encodePublicKey(value: Uint8Array): Uint8Array {
  return encodeTlv(TAG.PUBLIC_KEY, encodeTlv(TAG.KEY_VALUE, value));
}

/** The value of 34{49{...}} for a container of `type`; 6A80 when it is none by its form. */
export function readPublicKeyValue(objects: readonly Tlv[], type: number): Uint8Array {
  const key = decodeTlvs(requireTlv(objects, TAG.PUBLIC_KEY));
  const value = requireTlv(key, TAG.KEY_VALUE);
  if (curveOf(type) === undefined) rsaKeyIn(value);
  else pointIn(value);
  return value.slice();
}

/** The uncompressed point in the value of a key; 6A80 without one. */
export function pointIn(value: Uint8Array): Uint8Array {
  const point = requireTlv(decodeTlvs(value), TAG.EC_POINT);
  return point.length === POINT_LENGTH && point[0] === 0x04 ? point : refuse(STATUS_WORD.WRONG_DATA);
}

/** The RSA key in the value of a key; 6A80 without one of 2,048 bits. */
export function rsaKeyIn(value: Uint8Array): RsaPublicKey {
  const objects = decodeTlvs(value);
  const key = {
    modulus: withoutZeros(findTlv(objects, TAG.RSA_MODULUS)),
    exponent: withoutZeros(findTlv(objects, TAG.RSA_EXPONENT)),
  };
  return isRsaPublicKey(key) ? key : refuse(STATUS_WORD.WRONG_DATA);
}

function withoutZeros(bytes: Uint8Array = new Uint8Array(0)): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  return start < 0 ? new Uint8Array(0) : bytes.subarray(start);
}
