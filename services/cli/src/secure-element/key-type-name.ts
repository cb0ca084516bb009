import { KEY_TYPE } from '@sefleet/globalplatform';

const NAMES: Readonly<Record<number, string>> = {
  [KEY_TYPE.DES]: 'DES',
  [KEY_TYPE.TDES_CBC]: '3DES',
  [KEY_TYPE.PSK_TLS]: 'TLS PSK',
  [KEY_TYPE.HMAC_SHA256]: 'HMAC-SHA256',
  [KEY_TYPE.EC_PUBLIC]: 'EC public',
  [KEY_TYPE.EC_PRIVATE]: 'EC private',
};

/** A key's type for people, with its length where it has several: `AES-128`. */
export function keyTypeName(type: number, lengthBytes: number): string {
  if (type === KEY_TYPE.AES) return `AES-${lengthBytes * 8}`;
  if (type === KEY_TYPE.RSA_MODULUS) return `RSA-${lengthBytes * 8} public`;
  return NAMES[type] ?? `type ${type.toString(16)}`;
}
