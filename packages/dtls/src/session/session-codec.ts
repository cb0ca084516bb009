import { ByteWriter, type ByteReader } from '@sefleet/bytes';
import type { Peer } from '@sefleet/runtime';
import { cipherSuiteById } from '../cipher-suites.ts';
import type { RecordCipher } from '../crypto/record-cipher.ts';
import { KEY_BLOCK_LENGTH } from '../crypto/key-schedule.ts';
import { decodeAll, decodeError, dtlsError } from '../errors.ts';
import { readIdentity, writeIdentity } from './identity-codec.ts';
import { ReplayWindow } from './replay-window.ts';
import { SecureRecords } from './secure-records.ts';
import { Session } from './session.ts';

/** "DTLS sessions", and the version of this format. */
const MAGIC = 0x44_53;
const VERSION = 1;
/** A million sessions with certificates fit. */
const EXPORT_LENGTH_MAX = 0x7fff_ffff;

const FLAG_CLIENT = 1;
const FLAG_EXTENDED_MASTER_SECRET = 2;
const FLAG_RESUMED = 4;
const FLAG_SEND_CID = 8;
const FLAG_RECEIVE_CID = 16;
const FLAG_RETURN_ROUTABILITY = 32;

/** All sessions, one after the other, each behind its length. */
export function encodeSessions(sessions: Iterable<Session>): Uint8Array {
  const writer = new ByteWriter(65_536, EXPORT_LENGTH_MAX);
  writer.u16(MAGIC).u8(VERSION);
  for (const session of sessions) writer.lengthPrefixed(2, (w) => writeSession(w, session));
  return writer.finish();
}

/**
 * Sessions from {@link encodeSessions}.
 *
 * @param linkTo gives the channel's peer at an address
 * @throws SefleetError `DTLS_SESSION_IMPORT` when the bytes are not such an export
 */
export function decodeSessions(
  exported: Uint8Array,
  linkTo: (address: string, port: number) => Peer,
  cipher: RecordCipher,
  nowMs: number,
): readonly Session[] {
  try {
    return decodeAll('exported sessions', exported, (reader) => {
      if (reader.u16() !== MAGIC || reader.u8() !== VERSION)
        throw decodeError('not an export of this version');
      const sessions: Session[] = [];
      while (reader.remaining > 0)
        sessions.push(readSession(reader.sub(reader.u16()), linkTo, cipher, nowMs));
      return sessions;
    });
  } catch (error) {
    throw dtlsError('DTLS_SESSION_IMPORT', 'the exported sessions cannot be read', { cause: error });
  }
}

function writeSession(writer: ByteWriter, session: Session): void {
  const { records, facts } = session;
  const flags =
    (records.role === 'client' ? FLAG_CLIENT : 0) |
    (facts.extendedMasterSecret ? FLAG_EXTENDED_MASTER_SECRET : 0) |
    (facts.resumed ? FLAG_RESUMED : 0) |
    (facts.returnRoutability ? FLAG_RETURN_ROUTABILITY : 0) |
    (records.sendCid === undefined ? 0 : FLAG_SEND_CID) |
    (records.receiveCid === undefined ? 0 : FLAG_RECEIVE_CID);
  const [newest, recent, older] = records.window.toJSON();
  writer.u8(flags).u16(records.suite.id).bytes(records.keyBlock.subarray(0, KEY_BLOCK_LENGTH));
  // The window starts at -1, which one more makes an unsigned number.
  writer
    .u48(records.writeSequence)
    .u48(newest + 1)
    .u32(recent)
    .u32(older);
  writer.u16(facts.recordSizeLimit);
  writeText(writer, session.key);
  writeText(writer, session.address);
  writer.u16(session.port);
  writeText(writer, facts.serverName ?? '');
  if (records.sendCid !== undefined) writeBytes(writer, records.sendCid);
  if (records.receiveCid !== undefined) writeBytes(writer, records.receiveCid);
  writer.lengthPrefixed(2, (w) => w.bytes(facts.resumption ?? NO_BYTES));
  writeIdentity(writer, session.identity);
}

function readSession(
  reader: ByteReader,
  linkTo: (address: string, port: number) => Peer,
  cipher: RecordCipher,
  nowMs: number,
): Session {
  const flags = reader.u8();
  const suite = cipherSuiteById(reader.u16());
  if (suite === undefined) throw decodeError('an unknown cipher suite');
  const keyBlock = reader.bytes(KEY_BLOCK_LENGTH).slice();
  const writeSequence = reader.u48();
  const window = ReplayWindow.from([reader.u48() - 1, reader.u32(), reader.u32()]);
  const recordSizeLimit = reader.u16();
  const key = readText(reader);
  const link = linkTo(readText(reader), reader.u16());
  const serverName = readText(reader);
  const send = (flags & FLAG_SEND_CID) === 0 ? undefined : readBytes(reader);
  const receive = (flags & FLAG_RECEIVE_CID) === 0 ? undefined : readBytes(reader);
  const resumption = reader.bytes(reader.u16()).slice();
  const identity = readIdentity(reader);
  reader.end();
  const role = (flags & FLAG_CLIENT) === 0 ? 'server' : 'client';
  const records = new SecureRecords({ suite, keyBlock, role, cipher }, { send, receive });
  records.writeSequence = writeSequence;
  records.window = window;
  const facts = {
    resumed: (flags & FLAG_RESUMED) !== 0,
    extendedMasterSecret: (flags & FLAG_EXTENDED_MASTER_SECRET) !== 0,
    serverName: serverName === '' ? undefined : serverName,
    returnRoutability: (flags & FLAG_RETURN_ROUTABILITY) !== 0,
    recordSizeLimit,
    resumption: resumption.length === 0 ? undefined : resumption,
  };
  return new Session(key, link, { identity, records, facts }, nowMs);
}

const NO_BYTES = new Uint8Array(0);

function writeBytes(writer: ByteWriter, value: Uint8Array): void {
  writer.lengthPrefixed(1, (w) => w.bytes(value));
}

function readBytes(reader: ByteReader): Uint8Array {
  return reader.bytes(reader.u8()).slice();
}

function writeText(writer: ByteWriter, text: string): void {
  writeBytes(writer, new TextEncoder().encode(text));
}

function readText(reader: ByteReader): string {
  return new TextDecoder().decode(reader.bytes(reader.u8()));
}
