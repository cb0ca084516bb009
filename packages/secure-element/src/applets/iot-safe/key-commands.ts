import { hkdfSync } from 'node:crypto';
import { decodeTlvs, encodeTlv, findTlv, requireTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { CommandApdu, Tlv } from '@sefleet/globalplatform';
import { orRefuse, refuse } from '../../card/refusal.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { IOT_SAFE_TAG, PRF_MODE } from './iot-safe-protocol.ts';
import { findContainer, putContainer } from './iot-safe-state.ts';
import type { IotSafeState, KeyPairContainer } from './iot-safe-state.ts';
import { agree, generateKeyPair } from './p256.ts';
import { pskPremaster, tlsPrfSha256 } from './tls-prf.ts';

type Context = AppletContext<IotSafeState>;

/** PRF and HKDF output of one command. */
const MAX_DERIVED_BYTES = 255;
const MAX_SECRET_BYTES = 255;
const POINT_LENGTH = 65;

/**
 * COMPUTE PRF (GSMA IoT.05 §4.7): TLS 1.2's PRF with a pre-shared key that stays here. With `PSK_ECDHE` the
 * premaster secret of the exchange comes in tag D4.
 */
export function computePrf(command: CommandApdu, context: Context): Answer {
  const objects = decodeTlvs(command.data);
  const labelAndSeed = requireTlv(objects, IOT_SAFE_TAG.LABEL_AND_SEED);
  const length = readNumber(requireTlv(objects, IOT_SAFE_TAG.PRF_LENGTH), MAX_DERIVED_BYTES);
  const output = tlsPrfSha256(prfSecret(command.p1, objects, context.state), labelAndSeed, length);
  return encodeTlv(IOT_SAFE_TAG.SECRET, output);
}

/**
 * COMPUTE HKDF (GSMA IoT.05 §4.8): extract and expand with SHA-256 over a secret container or a premaster
 * secret.
 */
export function computeHkdf(command: CommandApdu, context: Context): Answer {
  const objects = decodeTlvs(command.data);
  const id = findTlv(objects, IOT_SAFE_TAG.SECRET_ID);
  const given = findTlv(objects, IOT_SAFE_TAG.PREMASTER);
  const secret = id === undefined ? orRefuse(given, STATUS_WORD.WRONG_DATA) : secretOf(context.state, id);
  const salt = findTlv(objects, IOT_SAFE_TAG.SALT) ?? new Uint8Array(0);
  const info = findTlv(objects, IOT_SAFE_TAG.LABEL_AND_SEED) ?? new Uint8Array(0);
  const length = readNumber(requireTlv(objects, IOT_SAFE_TAG.PRF_LENGTH), MAX_DERIVED_BYTES);
  return encodeTlv(IOT_SAFE_TAG.SECRET, new Uint8Array(hkdfSync('sha256', secret, salt, info, length)));
}

/**
 * COMPUTE DH (GSMA IoT.05 §4.6): the shared x coordinate of a key pair here and a public key that comes in.
 */
export function computeDh(command: CommandApdu, context: Context): Answer {
  const objects = decodeTlvs(command.data);
  const pair = keyPairOf(context.state, requireTlv(objects, IOT_SAFE_TAG.PRIVATE_ID));
  const point = readPoint(objects);
  const shared = orRefuse(agree(pair.privateKey, point), STATUS_WORD.WRONG_DATA);
  return encodeTlv(IOT_SAFE_TAG.SECRET, shared);
}

/** GENERATE KEY PAIR (GSMA IoT.05 §4.10): fills a key pair container anew and answers its public key. */
export function generateKeys(command: CommandApdu, context: Context): Answer {
  const id = requireTlv(decodeTlvs(command.data), IOT_SAFE_TAG.PRIVATE_ID);
  const slot = orRefuse(findContainer(context.state.keyPairs, id), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const pair = { ...slot, ...generateKeyPair(context.rng) };
  context.state = { ...context.state, keyPairs: putContainer(context.state.keyPairs, pair) };
  return encodePublicKey(pair.publicKey);
}

/** READ PUBLIC KEY (GSMA IoT.05 §4.12), of a key pair or of somebody else's key. */
export function readPublicKey(command: CommandApdu, context: Context): Answer {
  const id = requireTlv(decodeTlvs(command.data), IOT_SAFE_TAG.PUBLIC_ID);
  return encodePublicKey(publicKeyWithId(context.state, id));
}

/** GET RANDOM (GSMA IoT.05 §4.9): Le bytes. */
export function getRandom(command: CommandApdu, context: Context): Answer {
  const length = command.le ?? refuse(STATUS_WORD.WRONG_LENGTH);
  return context.rng.bytes(Math.min(length, 256));
}

/** The public key with identifier `id`; 6A88 without one. */
export function publicKeyWithId(state: IotSafeState, id: Uint8Array): Uint8Array {
  const other = findContainer(state.publicKeys, id);
  if (other !== undefined) return other.publicKey;
  const pair = state.keyPairs.find((candidate) => Buffer.compare(candidate.publicId, id) === 0);
  if (pair === undefined) return refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  return pair.publicKey.length === 0 ? refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED) : pair.publicKey;
}

/** The key pair with identifier `id`, filled; 6A88 or 6985 otherwise. */
export function keyPairOf(state: IotSafeState, id: Uint8Array): KeyPairContainer {
  const pair = orRefuse(findContainer(state.keyPairs, id), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  return pair.privateKey.length === 0 ? refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED) : pair;
}

/** A public key as it travels: 34{49{86 point}}. */
export function encodePublicKey(point: Uint8Array): Uint8Array {
  return encodeTlv(
    IOT_SAFE_TAG.PUBLIC_KEY,
    encodeTlv(IOT_SAFE_TAG.KEY_VALUE, encodeTlv(IOT_SAFE_TAG.EC_POINT, point)),
  );
}

/** The point in 34{49{86 point}}; 6A80 when it is none by its form. */
export function readPoint(objects: readonly Tlv[]): Uint8Array {
  const key = decodeTlvs(requireTlv(objects, IOT_SAFE_TAG.PUBLIC_KEY));
  const point = requireTlv(decodeTlvs(requireTlv(key, IOT_SAFE_TAG.KEY_VALUE)), IOT_SAFE_TAG.EC_POINT);
  return point.length === POINT_LENGTH && point[0] === 0x04 ? point : refuse(STATUS_WORD.WRONG_DATA);
}

function prfSecret(mode: number, objects: readonly Tlv[], state: IotSafeState): Uint8Array {
  const id = findTlv(objects, IOT_SAFE_TAG.SECRET_ID);
  const premaster = findTlv(objects, IOT_SAFE_TAG.PREMASTER);
  switch (mode) {
    case PRF_MODE.GENERAL:
      return id === undefined ? orRefuse(premaster, STATUS_WORD.WRONG_DATA) : secretOf(state, id);
    case PRF_MODE.PSK_PLAIN:
      return pskPremaster(secretOf(state, orRefuse(id, STATUS_WORD.WRONG_DATA)), undefined);
    case PRF_MODE.PSK_ECDHE: {
      const other = orRefuse(premaster, STATUS_WORD.WRONG_DATA);
      if (other.length === 0 || other.length > MAX_SECRET_BYTES) return refuse(STATUS_WORD.WRONG_DATA);
      return pskPremaster(secretOf(state, orRefuse(id, STATUS_WORD.WRONG_DATA)), other);
    }
    default:
      return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
}

function secretOf(state: IotSafeState, id: Uint8Array): Uint8Array {
  return orRefuse(findContainer(state.secrets, id), STATUS_WORD.REFERENCED_DATA_NOT_FOUND).value;
}

function readNumber(bytes: Uint8Array, max: number): number {
  const value = bytes.length > 2 ? 0 : bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return value >= 1 && value <= max ? value : refuse(STATUS_WORD.WRONG_DATA);
}
