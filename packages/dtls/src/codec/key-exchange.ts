import { ByteWriter, type ByteReader } from '@sefleet/bytes';
import { CURVE_TYPE_NAMED_CURVE } from '../constants.ts';
import { decodeAll, decodeError } from '../errors.ts';
import type { KeyExchange } from '../cipher-suites.ts';

/** The server's ephemeral key. RFC 8422 §5.4. */
export interface EcdhParameters {
  readonly group: number;
  readonly publicKey: Uint8Array;
}

/** The fields of ServerKeyExchange; which are there follows from the suite. */
export interface ServerKeyExchange {
  readonly identityHint?: Uint8Array;
  readonly ecdh?: EcdhParameters;
  /** The encoded `ecdh`, which the signature covers. */
  readonly signedParameters?: Uint8Array;
  readonly signature?: DigitallySigned;
}

/** RFC 5246 §4.7. */
export interface DigitallySigned {
  readonly algorithm: number;
  readonly signature: Uint8Array;
}

/** The fields of ClientKeyExchange; which are there follows from the suite. */
export interface ClientKeyExchange {
  readonly identity?: Uint8Array;
  readonly publicKey?: Uint8Array;
}

/** RFC 4279 §2, RFC 5489 §2, RFC 8422 §5.4. */
export function decodeServerKeyExchange(body: Uint8Array, keyExchange: KeyExchange): ServerKeyExchange {
  return decodeAll('ServerKeyExchange', body, (reader) => {
    switch (keyExchange) {
      case 'PSK':
        return { identityHint: reader.bytes(reader.u16()) };
      case 'ECDHE_PSK': {
        const identityHint = reader.bytes(reader.u16());
        return { identityHint, ecdh: readEcdhParameters(reader) };
      }
      case 'ECDHE_ECDSA': {
        const start = reader.offset;
        const ecdh = readEcdhParameters(reader);
        const signedParameters = body.subarray(start, reader.offset);
        return { ecdh, signedParameters, signature: readDigitallySigned(reader) };
      }
    }
  });
}

export function encodeServerKeyExchange(message: {
  readonly identityHint?: Uint8Array;
  readonly ecdhParameters?: Uint8Array;
  readonly signature?: DigitallySigned;
}): Uint8Array {
  const { identityHint, ecdhParameters, signature } = message;
  const writer = new ByteWriter(192);
  if (identityHint !== undefined) writer.lengthPrefixed(2, (w) => w.bytes(identityHint));
  if (ecdhParameters !== undefined) writer.bytes(ecdhParameters);
  if (signature !== undefined) writer.bytes(encodeDigitallySigned(signature));
  return writer.finish();
}

export function encodeEcdhParameters(parameters: EcdhParameters): Uint8Array {
  return new ByteWriter(80)
    .u8(CURVE_TYPE_NAMED_CURVE)
    .u16(parameters.group)
    .lengthPrefixed(1, (w) => w.bytes(parameters.publicKey))
    .finish();
}

export function decodeClientKeyExchange(body: Uint8Array, keyExchange: KeyExchange): ClientKeyExchange {
  return decodeAll('ClientKeyExchange', body, (reader) => {
    switch (keyExchange) {
      case 'PSK':
        return { identity: reader.bytes(reader.u16()) };
      case 'ECDHE_PSK': {
        const identity = reader.bytes(reader.u16());
        return { identity, publicKey: reader.bytes(reader.u8()) };
      }
      case 'ECDHE_ECDSA':
        return { publicKey: reader.bytes(reader.u8()) };
    }
  });
}

export function encodeClientKeyExchange(message: ClientKeyExchange): Uint8Array {
  const { identity, publicKey } = message;
  const writer = new ByteWriter(128);
  if (identity !== undefined) writer.lengthPrefixed(2, (w) => w.bytes(identity));
  if (publicKey !== undefined) writer.lengthPrefixed(1, (w) => w.bytes(publicKey));
  return writer.finish();
}

/** CertificateVerify (RFC 5246 §7.4.8) is nothing but this. */
export function decodeDigitallySigned(body: Uint8Array): DigitallySigned {
  return decodeAll('CertificateVerify', body, readDigitallySigned);
}

export function encodeDigitallySigned(signed: DigitallySigned): Uint8Array {
  return new ByteWriter(80)
    .u16(signed.algorithm)
    .lengthPrefixed(2, (w) => w.bytes(signed.signature))
    .finish();
}

function readEcdhParameters(reader: ByteReader): EcdhParameters {
  if (reader.u8() !== CURVE_TYPE_NAMED_CURVE)
    throw decodeError('ServerKeyExchange: only named curves are spoken');
  const group = reader.u16();
  return { group, publicKey: reader.bytes(reader.u8()) };
}

function readDigitallySigned(reader: ByteReader): DigitallySigned {
  const algorithm = reader.u16();
  return { algorithm, signature: reader.bytes(reader.u16()) };
}
