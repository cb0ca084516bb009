import { createHash } from 'node:crypto';
import { concatBytes } from '@sefleet/bytes';
import { decodeTlvs, encodeTlv, requireTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { CommandApdu, Tlv } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { orRefuse, refuse } from '../../card/refusal.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { DIGEST_BYTES, readAlgorithm } from './algorithms.ts';
import type { SignatureAlgorithm } from './algorithms.ts';
import { keysOf, memoryOf, named, namedKeyPair, namedPublicKey, publicKeysOf } from './containers.ts';
import type { PublicKeyEntry } from './containers.ts';
import { signDigest, signMessage, verifyDigest, verifyMessage } from './curves.ts';
import { IOT_SAFE_TAG as TAG, SESSION, SIGNATURE_MODE } from './iot-safe-protocol.ts';
import { findContainer, putContainer } from './iot-safe-state.ts';
import type { IotSafeState, KeyPair, OpenSession } from './iot-safe-state.ts';
import { curveOf, pointIn, readPublicKeyValue, rsaKeyIn } from './public-keys.ts';
import { signPkcs1, signPss, verifyPkcs1, verifyPss } from './rsa.ts';

type Context = AppletContext<IotSafeState>;
type Subject = Pick<OpenSession, 'id' | 'mode' | 'algorithm'>;

/** Sessions that one logical channel may have open; GET DATA tells it. */
export const MAX_SESSIONS = 4;
const MAX_TEXT_BYTES = 16_384;
const NO_DATA = new Uint8Array(0);

/** COMPUTE SIGNATURE - INIT (GSMA IoT.05 §4.4): ECDSA, RSASSA-PKCS1-v1_5 or RSASSA-PSS. */
export function signInit(command: CommandApdu, context: Context): Answer {
  return openOrClose(command, context, 'sign', (objects) => {
    const pair = namedKeyPair(context.state, objects);
    orRefuse(keysOf(context, pair), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    return subjectOf(pair, objects);
  });
}

/** COMPUTE SIGNATURE - UPDATE: the text or the hash; the signature when it was the last part. */
export function signUpdate(command: CommandApdu, context: Context): Answer {
  const session = sessionOf(command, context, 'sign');
  if (!isWhole(command, session)) return NO_DATA;
  closeSession(command, context);
  const pair =
    findContainer(context.state.keyPairs, session.id) ?? refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const keys = orRefuse(keysOf(context, pair), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const algorithm = orRefuse(session.algorithm, STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const text = textOf(decodeTlvs(dataOf(session)), session.mode, algorithm);
  return encodeTlv(TAG.SIGNATURE, sign(context.rng, pair.type, keys, text, algorithm));
}

/** VERIFY SIGNATURE - INIT (GSMA IoT.05 §4.5). */
export function verifyInit(command: CommandApdu, context: Context): Answer {
  return openOrClose(command, context, 'verify', (objects) => {
    const key = namedPublicKey(context, objects);
    if (key.publicKey.length === 0) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    return subjectOf(key, objects);
  });
}

/** VERIFY SIGNATURE - UPDATE: 9000 when the signature is right, 6D01 when not. */
export function verifyUpdate(command: CommandApdu, context: Context): Answer {
  const session = sessionOf(command, context, 'verify');
  if (!isWhole(command, session)) return NO_DATA;
  closeSession(command, context);
  const algorithm = orRefuse(session.algorithm, STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const key = orRefuse(
    findContainer(publicKeysOf(context), session.id),
    STATUS_WORD.REFERENCED_DATA_NOT_FOUND,
  );
  const { objects, signature } = splitSignature(dataOf(session));
  const text = textOf(objects, session.mode, algorithm);
  return isSignature(key, text, signature, algorithm) ? NO_DATA : refuse(STATUS_WORD.SIGNATURE_INVALID);
}

/** PUT PUBLIC KEY - INIT (GSMA IoT.05 §4.11): names the container to fill. */
export function putPublicKeyInit(command: CommandApdu, context: Context): Answer {
  return openOrClose(command, context, 'put-public-key', (objects) => {
    const { id } = named(context.state.publicKeys, objects, TAG.PUBLIC_ID, TAG.PUBLIC_LABEL);
    return { id, mode: 0, algorithm: undefined };
  });
}

/** PUT PUBLIC KEY - UPDATE: the key, in one part or several. */
export function putPublicKeyUpdate(command: CommandApdu, context: Context): Answer {
  const session = sessionOf(command, context, 'put-public-key');
  if (!isWhole(command, session)) return NO_DATA;
  closeSession(command, context);
  const { state } = context;
  const container = findContainer(state.publicKeys, session.id);
  if (container === undefined) return refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const publicKey = readPublicKeyValue(decodeTlvs(dataOf(session)), container.type);
  context.state = { ...state, publicKeys: putContainer(state.publicKeys, { ...container, publicKey }) };
  return NO_DATA;
}

function subjectOf(
  key: { readonly id: Uint8Array; readonly type: number },
  objects: readonly Tlv[],
): Subject {
  const [mode = 0] = requireTlv(objects, TAG.MODE);
  if (mode !== SIGNATURE_MODE.FULL_TEXT && mode !== SIGNATURE_MODE.PADDING)
    refuse(STATUS_WORD.FUNCTION_NOT_SUPPORTED);
  return { id: key.id, mode, algorithm: readAlgorithm(objects, curveOf(key.type) === undefined) };
}

/** ECDSA over a text is OpenSSL's own; over a digest that the host made it is not to be had there. */
function sign(rng: Rng, type: number, keys: KeyPair, text: SignedText, algorithm: SignatureAlgorithm) {
  const { scheme, hash } = algorithm;
  const { privateKey } = keys;
  const curve = curveOf(type);
  if (curve === undefined) {
    return scheme === 'pss'
      ? signPss(privateKey, text.digest, hash, rng)
      : signPkcs1(privateKey, text.digest, hash);
  }
  if (text.whole === undefined) return signDigest(curve, privateKey, text.digest, rng);
  return signMessage(curve, { privateKey, publicKey: pointIn(keys.publicKey) }, text.whole, hash);
}

function isSignature(
  { type, publicKey }: PublicKeyEntry,
  { whole, digest }: SignedText,
  signature: Uint8Array,
  { scheme, hash }: SignatureAlgorithm,
): boolean {
  const curve = curveOf(type);
  if (curve === undefined) {
    const verify = scheme === 'pss' ? verifyPss : verifyPkcs1;
    return verify(rsaKeyIn(publicKey), digest, signature, hash);
  }
  const point = pointIn(publicKey);
  if (whole === undefined) return verifyDigest(curve, point, digest, signature);
  return verifyMessage(curve, point, whole, signature, hash);
}

/** What is signed: a text, or the digest that the host made of it. */
interface SignedText {
  readonly whole: Uint8Array | undefined;
  readonly digest: Uint8Array;
}

function textOf(objects: readonly Tlv[], mode: number, { hash }: SignatureAlgorithm): SignedText {
  if (mode === SIGNATURE_MODE.FULL_TEXT) {
    const whole = concatBytes(...objects.flatMap(({ tag, value }) => (tag === TAG.TEXT ? [value] : [])));
    return { whole, digest: Uint8Array.from(createHash(hash).update(whole).digest()) };
  }
  const digest = requireTlv(objects, TAG.HASH);
  return digest.length === DIGEST_BYTES[hash] ? { whole: undefined, digest } : refuse(STATUS_WORD.WRONG_DATA);
}

/**
 * The objects of VERIFY, and the signature at their end. Its length comes as BER has it, and from some
 * clients on two bytes: 33 00 40.
 */
function splitSignature(data: Uint8Array): {
  readonly objects: readonly Tlv[];
  readonly signature: Uint8Array;
} {
  for (let at = data.length - 3; at >= 0; at--) {
    const length = ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0);
    if (data[at] !== TAG.SIGNATURE || length !== data.length - at - 3 || length === 0) continue;
    const objects = tryDecode(data.subarray(0, at));
    if (objects !== undefined) return { objects, signature: data.subarray(at + 3) };
  }
  const objects = decodeTlvs(data);
  return { objects, signature: requireTlv(objects, TAG.SIGNATURE) };
}

function tryDecode(data: Uint8Array): readonly Tlv[] | undefined {
  try {
    return decodeTlvs(data);
  } catch {
    // The byte that looked like the signature's tag stands inside of something else.
    return undefined;
  }
}

function openOrClose(
  command: CommandApdu,
  context: Context,
  kind: OpenSession['kind'],
  read: (objects: readonly Tlv[]) => Subject,
): Answer {
  const { sessions } = memoryOf(context);
  if (command.p1 === SESSION.CLOSE) {
    sessions.delete(command.p2);
    return NO_DATA;
  }
  if (command.p1 !== SESSION.OPEN) return refuse(STATUS_WORD.INCORRECT_P1_P2);
  const subject = read(decodeTlvs(command.data));
  if (!sessions.has(command.p2) && sessions.size >= MAX_SESSIONS)
    return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  sessions.set(command.p2, { kind, ...subject, parts: [], length: 0 });
  return NO_DATA;
}

function sessionOf(command: CommandApdu, context: Context, kind: OpenSession['kind']): OpenSession {
  const session = memoryOf(context).sessions.get(command.p2);
  return session?.kind === kind ? session : refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}

function closeSession(command: CommandApdu, context: Context): void {
  memoryOf(context).sessions.delete(command.p2);
}

/**
 * Takes the data of an UPDATE; true when it was the last one. A data object may begin in one command and end
 * in another, or each command brings whole ones: joined they read the same.
 */
function isWhole({ p1, data }: CommandApdu, session: OpenSession): boolean {
  session.length += data.length;
  if (session.length > MAX_TEXT_BYTES) refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
  session.parts.push(data.slice());
  if (p1 !== SESSION.LAST && p1 !== SESSION.MORE) return refuse(STATUS_WORD.INCORRECT_P1_P2);
  return p1 === SESSION.LAST;
}

function dataOf(session: OpenSession): Uint8Array {
  return concatBytes(...session.parts);
}
