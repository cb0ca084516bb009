import { concatBytes } from '@sefleet/bytes';
import { decodeTlvs, encodeTlv, findTlv, requireTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { CommandApdu, Tlv } from '@sefleet/globalplatform';
import { refuse } from '../../card/refusal.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { IOT_SAFE_TAG, SESSION, SIGNATURE_MODE } from './iot-safe-protocol.ts';
import { findContainer, putContainer } from './iot-safe-state.ts';
import type { IotSafeState } from './iot-safe-state.ts';
import { keyPairOf, publicKeyWithId, readPoint } from './key-commands.ts';
import { signDigest, signMessage, verifyDigest, verifyMessage } from './p256.ts';

type Context = AppletContext<IotSafeState>;

/** What an open session of the applet waits for. */
interface OpenSession {
  readonly kind: 'sign' | 'verify' | 'put-public-key';
  readonly id: Uint8Array;
  readonly mode: number;
  readonly parts: Uint8Array[];
  length: number;
}

/** Sessions that one logical channel may have open. */
const MAX_SESSIONS = 4;
const MAX_TEXT_BYTES = 16_384;
const SHA_256 = 0x0001;
const ECDSA = 0x04;
const DIGEST_LENGTH = 32;
const SIGNATURE_LENGTH = 64;

/** COMPUTE SIGNATURE - INIT (GSMA IoT.05 §4.4): ECDSA on P-256 with SHA-256. */
export function signInit(command: CommandApdu, context: Context): Answer {
  return openOrClose(command, context, 'sign', (objects) => {
    const id = requireTlv(objects, IOT_SAFE_TAG.PRIVATE_ID);
    keyPairOf(context.state, id);
    const mode = requireTlv(objects, IOT_SAFE_TAG.MODE)[0] ?? 0;
    if (mode !== SIGNATURE_MODE.FULL_TEXT && mode !== SIGNATURE_MODE.PADDING)
      refuse(STATUS_WORD.FUNCTION_NOT_SUPPORTED);
    checkAlgorithms(objects);
    return { id, mode };
  });
}

/** COMPUTE SIGNATURE - UPDATE: the text or the hash; the signature when it was the last part. */
export function signUpdate(command: CommandApdu, context: Context): Answer {
  const session = sessionOf(command, context, 'sign');
  const objects = decodeTlvs(command.data);
  const pair = keyPairOf(context.state, session.id);
  if (session.mode === SIGNATURE_MODE.PADDING) {
    const digest = digestIn(objects);
    closeSession(command, context);
    return encodeTlv(IOT_SAFE_TAG.SIGNATURE, signDigest(pair.privateKey, digest, context.rng));
  }
  append(session, findTlv(objects, IOT_SAFE_TAG.TEXT) ?? new Uint8Array(0));
  if (command.p1 !== SESSION.LAST) return new Uint8Array(0);
  closeSession(command, context);
  return encodeTlv(IOT_SAFE_TAG.SIGNATURE, signMessage(pair, concatBytes(...session.parts)));
}

/** VERIFY SIGNATURE - INIT (GSMA IoT.05 §4.5). */
export function verifyInit(command: CommandApdu, context: Context): Answer {
  return openOrClose(command, context, 'verify', (objects) => {
    const id = requireTlv(objects, IOT_SAFE_TAG.PUBLIC_ID);
    publicKeyWithId(context.state, id);
    const mode = requireTlv(objects, IOT_SAFE_TAG.MODE)[0] ?? 0;
    if (mode !== SIGNATURE_MODE.FULL_TEXT && mode !== SIGNATURE_MODE.PADDING) {
      refuse(STATUS_WORD.FUNCTION_NOT_SUPPORTED);
    }
    checkAlgorithms(objects);
    return { id, mode };
  });
}

/** VERIFY SIGNATURE - UPDATE: 9000 when the signature is right, 6D01 when not. */
export function verifyUpdate(command: CommandApdu, context: Context): Answer {
  const session = sessionOf(command, context, 'verify');
  const objects = decodeTlvs(command.data);
  append(session, findTlv(objects, IOT_SAFE_TAG.TEXT) ?? new Uint8Array(0));
  if (command.p1 !== SESSION.LAST) return new Uint8Array(0);
  closeSession(command, context);
  const signature = requireTlv(objects, IOT_SAFE_TAG.SIGNATURE);
  const publicKey = publicKeyWithId(context.state, session.id);
  const right =
    signature.length === SIGNATURE_LENGTH &&
    (session.mode === SIGNATURE_MODE.PADDING
      ? verifyDigest(publicKey, digestIn(objects), signature)
      : verifyMessage(publicKey, concatBytes(...session.parts), signature));
  return right ? new Uint8Array(0) : refuse(STATUS_WORD.SIGNATURE_INVALID);
}

/** PUT PUBLIC KEY - INIT (GSMA IoT.05 §4.11): names the container to fill. */
export function putPublicKeyInit(command: CommandApdu, context: Context): Answer {
  return openOrClose(command, context, 'put-public-key', (objects) => {
    const id = requireTlv(objects, IOT_SAFE_TAG.PUBLIC_ID);
    if (findContainer(context.state.publicKeys, id) === undefined)
      refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
    return { id, mode: 0 };
  });
}

/** PUT PUBLIC KEY - UPDATE: the key. */
export function putPublicKeyUpdate(command: CommandApdu, context: Context): Answer {
  const session = sessionOf(command, context, 'put-public-key');
  const publicKey = readPoint(decodeTlvs(command.data)).slice();
  closeSession(command, context);
  const { state } = context;
  const container = findContainer(state.publicKeys, session.id);
  if (container === undefined) return refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  context.state = { ...state, publicKeys: putContainer(state.publicKeys, { ...container, publicKey }) };
  return new Uint8Array(0);
}

function openOrClose(
  command: CommandApdu,
  context: Context,
  kind: OpenSession['kind'],
  read: (objects: readonly Tlv[]) => { readonly id: Uint8Array; readonly mode: number },
): Answer {
  const sessions = sessionsOf(context);
  if (command.p1 === SESSION.CLOSE) {
    sessions.delete(command.p2);
    return new Uint8Array(0);
  }
  if (command.p1 !== SESSION.OPEN) return refuse(STATUS_WORD.INCORRECT_P1_P2);
  const { id, mode } = read(decodeTlvs(command.data));
  if (!sessions.has(command.p2) && sessions.size >= MAX_SESSIONS)
    return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  sessions.set(command.p2, { kind, id: id.slice(), mode, parts: [], length: 0 });
  return new Uint8Array(0);
}

function sessionOf(command: CommandApdu, context: Context, kind: OpenSession['kind']): OpenSession {
  const session = sessionsOf(context).get(command.p2);
  return session?.kind === kind ? session : refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}

function closeSession(command: CommandApdu, context: Context): void {
  sessionsOf(context).delete(command.p2);
}

function sessionsOf(context: Context): Map<number, OpenSession> {
  const { memory } = context;
  if (memory instanceof Map) return memory;
  const sessions = new Map<number, OpenSession>();
  context.memory = sessions;
  return sessions;
}

function append(session: OpenSession, text: Uint8Array): void {
  session.length += text.length;
  if (session.length > MAX_TEXT_BYTES) refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
  session.parts.push(text.slice());
}

function digestIn(objects: readonly Tlv[]): Uint8Array {
  const digest = requireTlv(objects, IOT_SAFE_TAG.HASH);
  return digest.length === DIGEST_LENGTH ? digest : refuse(STATUS_WORD.WRONG_DATA);
}

function checkAlgorithms(objects: readonly Tlv[]): void {
  const hash = findTlv(objects, IOT_SAFE_TAG.HASH_ALGORITHM);
  const algorithm = findTlv(objects, IOT_SAFE_TAG.SIGNATURE_ALGORITHM);
  const hashId = hash === undefined ? SHA_256 : ((hash[0] ?? 0) << 8) | (hash[1] ?? 0);
  if (hashId !== SHA_256 || (algorithm?.[0] ?? ECDSA) !== ECDSA) refuse(STATUS_WORD.FUNCTION_NOT_SUPPORTED);
}
