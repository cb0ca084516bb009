import { createCipheriv } from 'node:crypto';
import { ByteReader, ByteReaderError, concatBytes, constantTimeEqual, fromHex } from '@sefleet/bytes';
import type { ReceiptEvidence } from './evidence.ts';

const BLOCK = 16;

/** A receipt's counter, and whether its MAC verifies under `key`; undefined when the bytes are no receipt. */
export function readReceipt(
  receipt: ReceiptEvidence,
  key: Uint8Array | undefined,
): { readonly counter: number; readonly verified: boolean } | undefined {
  try {
    const outer = new ByteReader(fromHex(receipt.response));
    const body = outer.sub(outer.u8());
    outer.end();
    const mac = body.bytes(body.u8());
    const confirmation = body.rest();
    const counter = new ByteReader(confirmation, 1, 1 + (confirmation[0] ?? 0)).rest();
    const context = concatBytes(...receipt.context.map((aid) => lengthValue(fromHex(aid))));
    const verified =
      key !== undefined && constantTimeEqual(mac, cmac(key, concatBytes(confirmation, context)));
    return { counter: counter.reduce((sum, byte) => sum * 256 + byte, 0), verified };
  } catch (error) {
    if (error instanceof ByteReaderError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function lengthValue(value: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(value.length), value);
}

/** AES-CMAC (RFC 4493), written here so that no code of the card's own is asked about the card's receipts. */
export function cmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  const zero = new Uint8Array(BLOCK);
  const encrypt = (blocks: Uint8Array): Uint8Array => {
    const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, zero).setAutoPadding(false);
    return cipher.update(blocks);
  };
  const first = doubled(encrypt(zero));
  const whole = message.length > 0 && message.length % BLOCK === 0;
  const length = Math.max(BLOCK, Math.ceil(message.length / BLOCK) * BLOCK);
  const padded = new Uint8Array(length);
  padded.set(message);
  if (!whole) padded[message.length] = 0x80;
  const mask = whole ? first : doubled(first);
  for (let i = 0; i < BLOCK; i++)
    padded[length - BLOCK + i] = (padded[length - BLOCK + i] ?? 0) ^ (mask[i] ?? 0);
  return Uint8Array.from(encrypt(padded).subarray(-BLOCK));
}

function doubled(block: Uint8Array): Uint8Array {
  const out = new Uint8Array(BLOCK);
  for (let i = 0; i < BLOCK; i++) out[i] = ((block[i] ?? 0) << 1) | ((block[i + 1] ?? 0) >> 7);
  if (((block[0] ?? 0) & 0x80) !== 0) out[BLOCK - 1] = (out[BLOCK - 1] ?? 0) ^ 0x87;
  return out;
}
