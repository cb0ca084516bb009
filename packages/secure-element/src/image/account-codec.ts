import type { ByteReader, ByteWriter } from '@sefleet/bytes';
import type { RecordAccount, RecordGrant } from '../card/card-state.ts';
import { readAid, writeAid } from './aid-codec.ts';

const FLAG = { ACCOUNT: 1, CLOSED: 2, GRANT: 4, ACTIVE: 8 } as const;
const RECORD_KEY_LENGTH = 16;
const ACTIVATION_LENGTH = 16;
const UTF8_OUT = new TextEncoder();
const UTF8_IN = new TextDecoder();

/** The record account of a domain as it stands in a card image; one byte when there is none. */
export function writeAccount(writer: ByteWriter, account: RecordAccount | undefined): void {
  if (account === undefined) {
    writer.u8(0);
    return;
  }
  const { grant } = account;
  writer.u8(
    FLAG.ACCOUNT |
      (account.closed ? FLAG.CLOSED : 0) |
      (grant === undefined ? 0 : FLAG.GRANT) |
      (grant?.active === true ? FLAG.ACTIVE : 0),
  );
  writer.lengthPrefixed(1, (body) => body.bytes(UTF8_OUT.encode(account.stakeholder)));
  writer.u32(account.keyVersion);
  writer.lengthPrefixed(1, (body) => body.bytes(UTF8_OUT.encode(account.endpoint)));
  writer.bytes(account.recordKey).u48(account.sequence).u48(account.firstSequence);
  if (grant !== undefined) writeGrant(writer, grant);
}

/** Reads {@link writeAccount}. */
export function readAccount(reader: ByteReader): RecordAccount | undefined {
  const flags = reader.u8();
  if ((flags & FLAG.ACCOUNT) === 0) return undefined;
  return {
    stakeholder: text(reader),
    keyVersion: reader.u32(),
    endpoint: text(reader),
    recordKey: reader.bytes(RECORD_KEY_LENGTH).slice(),
    sequence: reader.u48(),
    firstSequence: reader.u48(),
    closed: (flags & FLAG.CLOSED) !== 0,
    grant: (flags & FLAG.GRANT) === 0 ? undefined : readGrant(reader, (flags & FLAG.ACTIVE) !== 0),
  };
}

function writeGrant(writer: ByteWriter, grant: RecordGrant): void {
  writeAid(writer, grant.application).u64(BigInt(grant.instantMs)).bytes(grant.activation);
  writer.u16(grant.parameters.length).bytes(grant.parameters);
}

function readGrant(reader: ByteReader, active: boolean): RecordGrant {
  return {
    application: readAid(reader),
    instantMs: Number(reader.u64()),
    activation: reader.bytes(ACTIVATION_LENGTH).slice(),
    parameters: reader.bytes(reader.u16()).slice(),
    active,
  };
}

/** Names are the same on many cards: each is kept once. */
const interned = new Map<string, string>();
const MAX_INTERNED = 4096;

function text(reader: ByteReader): string {
  const value = UTF8_IN.decode(reader.bytes(reader.u8()));
  const known = interned.get(value);
  if (known === undefined && interned.size < MAX_INTERNED) interned.set(value, value);
  return known ?? value;
}
