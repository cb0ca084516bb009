import type { ByteReader, ByteWriter } from '@sefleet/bytes';
import type { PeerIdentity } from '@sefleet/runtime';
import { decodeError } from '../errors.ts';

/** Writes whom a session speaks with, for states that outlive a process. */
export function writeIdentity(writer: ByteWriter, identity: PeerIdentity): void {
  writer.u8(KIND_NUMBERS[identity.kind]);
  switch (identity.kind) {
    case 'none':
      return;
    case 'psk':
      writeText(writer, identity.identity);
      return;
    case 'rpk':
      writer.lengthPrefixed(2, (w) => w.bytes(identity.subjectPublicKeyInfo));
      return;
    case 'x509':
      writeText(writer, identity.commonName);
      writer.u8(identity.chain.length);
      for (const certificate of identity.chain) writer.lengthPrefixed(2, (w) => w.bytes(certificate));
  }
}

export function readIdentity(reader: ByteReader): PeerIdentity {
  switch (reader.u8()) {
    case KIND_NUMBERS.none:
      return { kind: 'none' };
    case KIND_NUMBERS.psk:
      return { kind: 'psk', identity: readText(reader) };
    case KIND_NUMBERS.rpk:
      return { kind: 'rpk', subjectPublicKeyInfo: reader.bytes(reader.u16()).slice() };
    case KIND_NUMBERS.x509: {
      const commonName = readText(reader);
      const chain = Array.from({ length: reader.u8() }, () => reader.bytes(reader.u16()).slice());
      return { kind: 'x509', commonName, chain };
    }
    default:
      throw decodeError('an identity of unknown kind');
  }
}

const KIND_NUMBERS = { none: 0, psk: 1, rpk: 2, x509: 3 } as const;

function writeText(writer: ByteWriter, text: string): void {
  writer.lengthPrefixed(2, (w) => w.bytes(new TextEncoder().encode(text)));
}

function readText(reader: ByteReader): string {
  return new TextDecoder().decode(reader.bytes(reader.u16()));
}
