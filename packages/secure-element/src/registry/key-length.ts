import { AES_KEY_LENGTHS, KEY_TYPE } from '@sefleet/globalplatform';

/** The card computes with private keys of this curve alone. */
const P256_SCALAR = 32;

/** True when a key of `type` can have `length` bytes. */
export function isKeyLength(type: number, length: number): boolean {
  switch (type) {
    case KEY_TYPE.AES:
      return AES_KEY_LENGTHS.includes(length);
    case KEY_TYPE.DES:
    case KEY_TYPE.TDES_CBC:
      return length === 16;
    case KEY_TYPE.EC_PRIVATE:
      return length === P256_SCALAR;
    default:
      return length > 0;
  }
}
