import { ByteWriter } from '@sefleet/bytes';
import { CertificateType } from '../constants.ts';
import { decodeAll, decodeError } from '../errors.ts';

/**
 * A Certificate message: a chain (RFC 5246 §7.4.2, empty when a client has none) or one raw key (RFC 7250
 * §3).
 */
export type CertificateMessage =
  | { readonly kind: 'x509'; readonly chain: readonly Uint8Array[] }
  | { readonly kind: 'rpk'; readonly subjectPublicKeyInfo: Uint8Array };

/** RFC 5246 §7.4.4. */
export interface CertificateRequest {
  readonly certificateTypes: Uint8Array;
  readonly signatureAlgorithms: readonly number[];
  /** DER distinguished names. */
  readonly authorities: readonly Uint8Array[];
}

export function decodeCertificate(body: Uint8Array, certificateType: number): CertificateMessage {
  if (certificateType === CertificateType.RawPublicKey) {
    return decodeAll('Certificate', body, (reader) => {
      const subjectPublicKeyInfo = reader.bytes(reader.u24());
      return { kind: 'rpk', subjectPublicKeyInfo } as const;
    });
  }
  return decodeAll('Certificate', body, (reader) => {
    const list = reader.sub(reader.u24());
    const chain: Uint8Array[] = [];
    while (list.remaining > 0) {
      const certificate = list.bytes(list.u24());
      if (certificate.length === 0) throw decodeError('Certificate: an empty certificate');
      chain.push(certificate);
    }
    return { kind: 'x509', chain } as const;
  });
}

export function encodeCertificate(message: CertificateMessage): Uint8Array {
  const writer = new ByteWriter(1024);
  if (message.kind === 'rpk')
    return writer.lengthPrefixed(3, (w) => w.bytes(message.subjectPublicKeyInfo)).finish();
  writer.lengthPrefixed(3, (list) => {
    for (const certificate of message.chain) list.lengthPrefixed(3, (w) => w.bytes(certificate));
  });
  return writer.finish();
}

export function decodeCertificateRequest(body: Uint8Array): CertificateRequest {
  return decodeAll('CertificateRequest', body, (reader) => {
    const certificateTypes = reader.bytes(reader.u8());
    const algorithms = reader.sub(reader.u16());
    const signatureAlgorithms: number[] = [];
    while (algorithms.remaining > 0) signatureAlgorithms.push(algorithms.u16());
    const names = reader.sub(reader.u16());
    const authorities: Uint8Array[] = [];
    while (names.remaining > 0) authorities.push(names.bytes(names.u16()));
    return { certificateTypes, signatureAlgorithms, authorities };
  });
}

export function encodeCertificateRequest(request: CertificateRequest): Uint8Array {
  const writer = new ByteWriter(32);
  writer.lengthPrefixed(1, (w) => w.bytes(request.certificateTypes));
  writer.lengthPrefixed(2, (w) => {
    for (const algorithm of request.signatureAlgorithms) w.u16(algorithm);
  });
  writer.lengthPrefixed(2, (w) => {
    for (const name of request.authorities) w.lengthPrefixed(2, (n) => n.bytes(name));
  });
  return writer.finish();
}
