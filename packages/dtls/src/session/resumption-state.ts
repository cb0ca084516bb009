import { ByteWriter } from '@sefleet/bytes';
import type { PeerIdentity } from '@sefleet/runtime';
import { cipherSuiteById, type CipherSuite } from '../cipher-suites.ts';
import { MASTER_SECRET_LENGTH } from '../constants.ts';
import { decodeAll, decodeError } from '../errors.ts';
import { readIdentity, writeIdentity } from './identity-codec.ts';

/** What both sides keep of a session to resume it. RFC 5246 §F.1.4, RFC 7627 §5.3. */
export interface ResumptionState {
  readonly sessionId: Uint8Array;
  readonly suite: CipherSuite;
  readonly masterSecret: Uint8Array;
  readonly extendedMasterSecret: boolean;
  readonly identity: PeerIdentity;
  readonly serverName: string | undefined;
}

const VERSION = 1;

export function encodeResumptionState(state: ResumptionState): Uint8Array {
  const writer = new ByteWriter(192);
  writer
    .u8(VERSION)
    .u16(state.suite.id)
    .u8(state.extendedMasterSecret ? 1 : 0)
    .bytes(state.masterSecret);
  writer.lengthPrefixed(1, (w) => w.bytes(state.sessionId));
  writer.lengthPrefixed(1, (w) => w.bytes(new TextEncoder().encode(state.serverName ?? '')));
  writeIdentity(writer, state.identity);
  return writer.finish();
}

export function decodeResumptionState(data: Uint8Array): ResumptionState {
  return decodeAll('resumption state', data, (reader) => {
    if (reader.u8() !== VERSION) throw decodeError('resumption state: unknown version');
    const suite = cipherSuiteById(reader.u16());
    if (suite === undefined) throw decodeError('resumption state: unknown cipher suite');
    const extendedMasterSecret = reader.u8() === 1;
    const masterSecret = reader.bytes(MASTER_SECRET_LENGTH).slice();
    const sessionId = reader.bytes(reader.u8()).slice();
    const serverName = new TextDecoder().decode(reader.bytes(reader.u8()));
    return {
      sessionId,
      suite,
      masterSecret,
      extendedMasterSecret,
      identity: readIdentity(reader),
      serverName: serverName === '' ? undefined : serverName,
    };
  });
}
