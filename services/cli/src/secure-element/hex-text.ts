import { toHex } from '@sefleet/bytes';

/** Bytes as card people write them: `A000000151`. */
export function hexText(bytes: Uint8Array): string {
  return toHex(bytes).toUpperCase();
}

/** A number of `bytes` bytes in hexadecimal. */
export function hexNumber(value: number, bytes = 1): string {
  return value
    .toString(16)
    .toUpperCase()
    .padStart(2 * bytes, '0');
}
