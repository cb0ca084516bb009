import { createHmac, hkdfSync } from 'node:crypto';
import { toHex } from '@sefleet/bytes';
import { decodeTlvs, encodeTlv, findTlv, requireTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { CommandApdu, Tlv } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { orRefuse, refuse } from '../../card/refusal.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { readHash } from './algorithms.ts';
import { keysOf, memoryOf, named, namedKeyPair, namedPublicKey } from './containers.ts';
import { agree, generateKeyPair } from './curves.ts';
import { IOT_SAFE_TAG as TAG, PRF_MODE } from './iot-safe-protocol.ts';
import { putContainer } from './iot-safe-state.ts';
import type { IotSafeState, KeyPair } from './iot-safe-state.ts';
import {
  curveOf,
  encodePoint,
  encodePublicKey,
  encodeRsaKey,
  isVolatile,
  pointIn,
  readPublicKeyValue,
} from './public-keys.ts';
import { generateRsaKeyPair } from './rsa.ts';
import { pskPremaster, tlsPrfSha256 } from './tls-prf.ts';

type Context = AppletContext<IotSafeState>;

/** PRF and HKDF output of one command. */
const MAX_DERIVED_BYTES = 255;
const MAX_SECRET_BYTES = 255;

/**
 * COMPUTE PRF (GSMA IoT.05 §4.7): TLS 1.2's PRF with a pre-shared key that stays here. With `PSK_ECDHE` the
 * premaster secret of the exchange comes in tag D4. The response is the output alone.
 */
export function computePrf(command: CommandApdu, context: Context): Answer {
  const objects = decodeTlvs(command.data);
  const labelAndSeed = requireTlv(objects, TAG.LABEL_AND_SEED);
  const length = readNumber(requireTlv(objects, TAG.PRF_LENGTH), MAX_DERIVED_BYTES);
  return tlsPrfSha256(prfSecret(command.p1, objects, context.state), labelAndSeed, length);
}

/**
 * COMPUTE HKDF (GSMA IoT.05 §4.8) over a secret container, or a secret in the command: extract, and with an
 * output length (D3) expand. The response is the output alone.
 */
export function computeHkdf(command: CommandApdu, context: Context): Answer {
  const objects = decodeTlvs(command.data);
  const secret = hasSecretName(objects) ? secretOf(context.state, objects) : secretIn(objects);
  const salt = findTlv(objects, TAG.SALT) ?? new Uint8Array(0);
  const hash = readHash(objects);
  const wanted = findTlv(objects, TAG.PRF_LENGTH);
  if (wanted === undefined) return Uint8Array.from(createHmac(hash, salt).update(secret).digest());
  const info = findTlv(objects, TAG.LABEL_AND_SEED) ?? new Uint8Array(0);
  return new Uint8Array(hkdfSync(hash, secret, salt, info, readNumber(wanted, MAX_DERIVED_BYTES)));
}

/**
 * COMPUTE DH (GSMA IoT.05 §4.6): the shared x coordinate of a key pair here and a public key, from a
 * container (85, 75) or from the command (34). The response is the secret alone.
 */
export function computeDh(command: CommandApdu, context: Context): Answer {
  const objects = decodeTlvs(command.data);
  const pair = namedKeyPair(context.state, objects);
  const curve = orRefuse(curveOf(pair.type), STATUS_WORD.FUNCTION_NOT_SUPPORTED);
  const keys = orRefuse(keysOf(context, pair), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const shared = agree(curve, keys.privateKey, peerPoint(context, objects, pair.type));
  return orRefuse(shared, STATUS_WORD.WRONG_DATA);
}

/** GENERATE KEY PAIR (GSMA IoT.05 §4.10): fills a container anew; both identifiers and the public key. */
export function generateKeys(command: CommandApdu, context: Context): Answer {
  const slot = namedKeyPair(context.state, decodeTlvs(command.data));
  const keys = makeKeys(slot.type, context.rng);
  if (isVolatile(slot.type)) memoryOf(context).volatileKeys.set(toHex(slot.id), keys);
  else {
    const keyPairs = putContainer(context.state.keyPairs, { ...slot, ...keys });
    context.state = { ...context.state, keyPairs };
  }
  return Buffer.concat([
    encodeTlv(TAG.PRIVATE_ID, slot.id),
    encodeTlv(TAG.PUBLIC_ID, slot.publicId),
    encodePublicKey(keys.publicKey),
  ]);
}

/** READ PUBLIC KEY (GSMA IoT.05 §4.12), of a key pair or of somebody else's key. */
export function readPublicKey(command: CommandApdu, context: Context): Answer {
  const { publicKey } = namedPublicKey(context, decodeTlvs(command.data));
  return publicKey.length === 0 ? refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED) : encodePublicKey(publicKey);
}

/** GET RANDOM (GSMA IoT.05 §4.9): Le bytes. */
export function getRandom(command: CommandApdu, context: Context): Answer {
  const length = command.le ?? refuse(STATUS_WORD.WRONG_LENGTH);
  return context.rng.bytes(Math.min(length, 256));
}

function makeKeys(type: number, rng: Rng): KeyPair {
  const curve = curveOf(type);
  if (curve !== undefined) {
    const { privateKey, publicKey } = generateKeyPair(curve, rng);
    return { privateKey, publicKey: encodePoint(publicKey) };
  }
  const { privateKey, publicKey } = generateRsaKeyPair();
  return { privateKey, publicKey: encodeRsaKey(publicKey) };
}

function peerPoint(context: Context, objects: readonly Tlv[], type: number): Uint8Array {
  if (findTlv(objects, TAG.PUBLIC_KEY) !== undefined) return pointIn(readPublicKeyValue(objects, type));
  const peer = namedPublicKey(context, objects);
  if (curveOf(peer.type) !== curveOf(type)) return refuse(STATUS_WORD.WRONG_DATA);
  return peer.publicKey.length === 0 ? refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED) : pointIn(peer.publicKey);
}

function prfSecret(mode: number, objects: readonly Tlv[], state: IotSafeState): Uint8Array {
  switch (mode) {
    case PRF_MODE.GENERAL:
      return hasSecretName(objects) ? secretOf(state, objects) : secretIn(objects);
    case PRF_MODE.PSK_PLAIN:
      return pskPremaster(secretOf(state, objects), undefined);
    case PRF_MODE.PSK_ECDHE: {
      const other = requireTlv(objects, TAG.PREMASTER);
      if (other.length === 0 || other.length > MAX_SECRET_BYTES) return refuse(STATUS_WORD.WRONG_DATA);
      return pskPremaster(secretOf(state, objects), other);
    }
    default:
      return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
}

function hasSecretName(objects: readonly Tlv[]): boolean {
  return [TAG.SECRET_ID, TAG.SECRET_LABEL].some((tag) => findTlv(objects, tag) !== undefined);
}

function secretOf(state: IotSafeState, objects: readonly Tlv[]): Uint8Array {
  return named(state.secrets, objects, TAG.SECRET_ID, TAG.SECRET_LABEL).value;
}

/** A secret that comes with the command: D1, or D4 from an exchange. */
function secretIn(objects: readonly Tlv[]): Uint8Array {
  return orRefuse(findTlv(objects, TAG.SECRET) ?? findTlv(objects, TAG.PREMASTER), STATUS_WORD.WRONG_DATA);
}

function readNumber(bytes: Uint8Array, max: number): number {
  const value = bytes.length > 2 ? 0 : bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return value >= 1 && value <= max ? value : refuse(STATUS_WORD.WRONG_DATA);
}
