import { concatBytes, constantTimeEqual } from '@sefleet/bytes';
import type { ByteReader } from '@sefleet/bytes';
import { aesCmac } from '../crypto/aes-cmac.ts';
import { globalPlatformError } from '../errors.ts';
import { encodeLv, encodeLvs, readAll, readLv } from '../tlv/length-value.ts';

/** What a card confirms with a receipt (GPCS 2.3.1 §11.1.6). */
export interface Confirmation {
  /** Counts the receipts of a card by one. */
  readonly counter: number;
  /** Issuer identification and card image number, joined: which card it was. */
  readonly cardUniqueData: Uint8Array;
  /** The identifier of the token and its digest, when the token had one. */
  readonly token?: { readonly identifier: Uint8Array; readonly digest: Uint8Array };
}

/** A receipt as a response carries it. */
export interface Receipt {
  readonly mac: Uint8Array;
  readonly confirmation: Confirmation;
}

/** What was done, as the receipt covers it. AIDs in bytes. */
export type ReceiptContext =
  | { readonly kind: 'load'; readonly loadFile: Uint8Array; readonly securityDomain: Uint8Array }
  | { readonly kind: 'install'; readonly loadFile: Uint8Array; readonly application: Uint8Array }
  | { readonly kind: 'delete'; readonly object: Uint8Array }
  | {
      readonly kind: 'extradition';
      readonly from: Uint8Array;
      readonly application: Uint8Array;
      readonly to: Uint8Array;
    }
  | {
      readonly kind: 'registry-update';
      readonly from: Uint8Array;
      readonly application: Uint8Array;
      readonly to: Uint8Array;
      readonly privileges: Uint8Array;
    };

/** The response data that carries a receipt: its length, the MAC and the confirmation data. */
export function encodeReceipt(
  key: Uint8Array,
  confirmation: Confirmation,
  context: ReceiptContext,
): Uint8Array {
  const data = encodeConfirmation(confirmation);
  const mac = aesCmac(key, data, encodeContext(context));
  return encodeLv(concatBytes(encodeLv(mac), data));
}

/** The receipt in response data, or undefined when the card made none (`00`). Nothing is verified. */
export function decodeReceipt(response: Uint8Array): Receipt | undefined {
  return readAll(response, (reader) => {
    const body = readLv(reader);
    return body.length === 0 ? undefined : readAll(body, readReceipt);
  });
}

/**
 * The verified receipt in response data.
 *
 * @param key The receipt key (KVN 71), AES.
 * @param previous The counter of the receipt before: this one has to be the next, so that none was held back.
 * @throws SefleetError `GP_RECEIPT_INVALID` when there is none, the MAC is wrong or the counter does not
 * follow.
 */
export function verifyReceipt(
  response: Uint8Array,
  key: Uint8Array,
  context: ReceiptContext,
  previous?: number,
): Receipt {
  const receipt = decodeReceipt(response);
  if (receipt === undefined) throw globalPlatformError('GP_RECEIPT_INVALID', 'the card made no receipt');
  const { mac, confirmation } = receipt;
  const expected = aesCmac(key, encodeConfirmation(confirmation), encodeContext(context));
  if (!constantTimeEqual(mac, expected)) {
    throw globalPlatformError('GP_RECEIPT_INVALID', 'the receipt is not of this card, key and command');
  }
  if (previous !== undefined && confirmation.counter !== previous + 1) {
    throw globalPlatformError('GP_RECEIPT_INVALID', 'the receipt counter does not follow the one before', {
      context: { counter: confirmation.counter, previous },
    });
  }
  return receipt;
}

function encodeConfirmation({ counter, cardUniqueData, token }: Confirmation): Uint8Array {
  const ids = token === undefined ? [] : [token.identifier, token.digest];
  return encodeLvs(Uint8Array.of(counter >> 8, counter), cardUniqueData, ...ids);
}

function readReceipt(reader: ByteReader): Receipt {
  const mac = readLv(reader);
  const counter = readLv(reader).reduce((sum, byte) => sum * 256 + byte, 0);
  const cardUniqueData = readLv(reader);
  if (reader.remaining === 0) return { mac, confirmation: { counter, cardUniqueData } };
  const token = { identifier: readLv(reader), digest: readLv(reader) };
  return { mac, confirmation: { counter, cardUniqueData, token } };
}

function encodeContext(context: ReceiptContext): Uint8Array {
  switch (context.kind) {
    case 'load':
      return encodeLvs(context.loadFile, context.securityDomain);
    case 'install':
      return encodeLvs(context.loadFile, context.application);
    case 'delete':
      return encodeLvs(context.object);
    case 'extradition':
      return encodeLvs(context.from, context.application, context.to);
    case 'registry-update':
      return encodeLvs(context.from, context.application, context.to, context.privileges);
    default:
      return context satisfies never;
  }
}
