import { concatBytes } from '@sefleet/bytes';
import { decodeTlvs, encodeTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { CommandApdu } from '@sefleet/globalplatform';
import { refuse } from '../../card/refusal.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { ALL_HASHES, ECDSA_SCHEME, RSA_SCHEMES } from './algorithms.ts';
import { keysOf, named, namedKeyPair, namedPublicKey, publicKeysOf } from './containers.ts';
import type { PublicKeyEntry } from './containers.ts';
import { CONTAINER_TYPE, IOT_SAFE_TAG as TAG } from './iot-safe-protocol.ts';
import type { IotSafeState, KeyPairContainer } from './iot-safe-state.ts';
import { MAX_CONTAINERS } from './personalisation.ts';
import { curveOf } from './public-keys.ts';
import { MAX_SESSIONS } from './signature-commands.ts';

type Context = AppletContext<IotSafeState>;

const LIST = 0x01;
const INFO = { PRIVATE: 0xc1, PUBLIC: 0xc2, FILE: 0xc3, SECRET: 0xc4 } as const;
const ACCESS = { NONE: 0x00, READ: 0x01, UPDATE: 0x02 } as const;
const FUNCTION = { SIGNATURE: 0x01, GENERATION: 0x02, AGREEMENT: 0x04, DERIVATION: 0x08 } as const;
const GENERAL_PURPOSE = 0x01;
const ECKA = 0x01;
/** PRF with SHA-256, and HKDF. */
const DERIVATIONS = 0x03;
const APPLICATION_TAG = {
  VERSION: 0x10,
  IDENTIFIER: 0x11,
  FILES: 0xb1,
  PRIVATE_KEYS: 0xb2,
  PUBLIC_KEYS: 0xb3,
  SECRETS: 0xb4,
  SESSIONS: 0xb7,
  FUNCTIONS: 0x90,
  KEY_AGREEMENT: 0x93,
  KEY_DERIVATION: 0x94,
} as const;
const OBJECT_TAG = { FILE_SIZE: 0x20, FILE_USAGE: 0x21, KEY_USAGE: 0x4e, KEY_AGREEMENT: 0x6f } as const;
const IDENTIFIER_BYTES = 32;

/**
 * GET DATA (GSMA IoT.05 §4.3): the application, the list of objects, or one object's description; never a
 * secret.
 */
export function getData(command: CommandApdu, context: Context): Answer {
  const { state } = context;
  if (command.p1 === 0x00) return describeApplication();
  if (command.p1 === LIST) {
    return concatBytes(
      ...state.keyPairs.map((pair) => describePrivate(context, pair)),
      ...publicKeysOf(context).map(describePublic),
      ...state.secrets.map(describeSecret),
      ...state.files.map(describeFile),
    );
  }
  const objects = decodeTlvs(command.data);
  switch (command.p1) {
    case INFO.PRIVATE:
      return describePrivate(context, namedKeyPair(state, objects));
    case INFO.PUBLIC:
      return describePublic(namedPublicKey(context, objects));
    case INFO.FILE:
      return describeFile(named(state.files, objects, TAG.FILE_ID, TAG.FILE_LABEL));
    case INFO.SECRET:
      return describeSecret(named(state.secrets, objects, TAG.SECRET_ID, TAG.SECRET_LABEL));
    default:
      return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
}

/** READ FILE (GSMA IoT.05 §4.2): Le bytes from the offset in P1 P2. */
export function readFile(command: CommandApdu, context: Context): Answer {
  const objects = decodeTlvs(command.data);
  const file = named(context.state.files, objects, TAG.FILE_ID, TAG.FILE_LABEL);
  const offset = (command.p1 << 8) | command.p2;
  if (offset > file.content.length) return refuse(STATUS_WORD.INCORRECT_P1_P2);
  return file.content.slice(offset, offset + (command.le ?? 256));
}

/** The application, 68 bytes in the order in which clients read it. */
function describeApplication(): Uint8Array {
  const identifier = new Uint8Array(IDENTIFIER_BYTES);
  identifier.set(Buffer.from('sefleet IoT SAFE'));
  const { SIGNATURE, GENERATION, AGREEMENT, DERIVATION } = FUNCTION;
  return concatBytes(
    byte(APPLICATION_TAG.VERSION, 0x01),
    encodeTlv(APPLICATION_TAG.IDENTIFIER, identifier),
    byte(APPLICATION_TAG.FILES, MAX_CONTAINERS),
    byte(APPLICATION_TAG.PRIVATE_KEYS, MAX_CONTAINERS),
    byte(APPLICATION_TAG.PUBLIC_KEYS, MAX_CONTAINERS),
    byte(APPLICATION_TAG.SECRETS, MAX_CONTAINERS),
    byte(APPLICATION_TAG.FUNCTIONS, SIGNATURE | GENERATION | AGREEMENT | DERIVATION),
    encodeTlv(TAG.HASH_ALGORITHM, ALL_HASHES),
    byte(TAG.SIGNATURE_ALGORITHM, RSA_SCHEMES | ECDSA_SCHEME),
    byte(APPLICATION_TAG.KEY_AGREEMENT, ECKA),
    byte(APPLICATION_TAG.KEY_DERIVATION, DERIVATIONS),
    byte(APPLICATION_TAG.SESSIONS, MAX_SESSIONS),
  );
}

function describePrivate(context: Context, pair: KeyPairContainer): Uint8Array {
  const isEc = curveOf(pair.type) !== undefined;
  const functions = FUNCTION.SIGNATURE | FUNCTION.GENERATION | (isEc ? FUNCTION.AGREEMENT : 0);
  return encodeTlv(
    INFO.PRIVATE,
    encodeTlv(TAG.PRIVATE_LABEL, pair.label),
    encodeTlv(TAG.PRIVATE_ID, pair.id),
    byte(TAG.ACCESS, ACCESS.UPDATE),
    state(keysOf(context, pair) !== undefined),
    ...describeKey(pair.type, functions),
  );
}

function describePublic({ id, label, type, publicKey }: PublicKeyEntry): Uint8Array {
  const isEc = curveOf(type) !== undefined;
  return encodeTlv(
    INFO.PUBLIC,
    encodeTlv(TAG.PUBLIC_LABEL, label),
    encodeTlv(TAG.PUBLIC_ID, id),
    byte(TAG.ACCESS, ACCESS.READ | ACCESS.UPDATE),
    state(publicKey.length > 0),
    ...describeKey(type, FUNCTION.SIGNATURE | (isEc ? FUNCTION.AGREEMENT : 0)),
  );
}

function describeKey(type: number, functions: number): readonly Uint8Array[] {
  const isEc = curveOf(type) !== undefined;
  return [
    byte(TAG.KEY_TYPE, type),
    byte(OBJECT_TAG.KEY_USAGE, GENERAL_PURPOSE),
    byte(TAG.FUNCTIONS, functions),
    byte(TAG.SIGNATURE_ALGORITHM, isEc ? ECDSA_SCHEME : RSA_SCHEMES),
    encodeTlv(TAG.HASH_ALGORITHM, ALL_HASHES),
    ...(isEc ? [byte(OBJECT_TAG.KEY_AGREEMENT, ECKA)] : []),
  ];
}

function describeSecret({ id, label }: IotSafeState['secrets'][number]): Uint8Array {
  return encodeTlv(
    INFO.SECRET,
    encodeTlv(TAG.SECRET_LABEL, label),
    encodeTlv(TAG.SECRET_ID, id),
    byte(TAG.ACCESS, ACCESS.NONE),
    state(true),
    byte(TAG.KEY_TYPE, CONTAINER_TYPE.SECRET),
    byte(TAG.FUNCTIONS, FUNCTION.DERIVATION),
    byte(APPLICATION_TAG.KEY_DERIVATION, DERIVATIONS),
  );
}

function describeFile({ id, label, content }: IotSafeState['files'][number]): Uint8Array {
  return encodeTlv(
    INFO.FILE,
    encodeTlv(TAG.FILE_LABEL, label),
    encodeTlv(TAG.FILE_ID, id),
    byte(TAG.ACCESS, ACCESS.READ),
    state(content.length > 0),
    encodeTlv(OBJECT_TAG.FILE_SIZE, Uint8Array.of(content.length >> 8, content.length)),
    byte(OBJECT_TAG.FILE_USAGE, GENERAL_PURPOSE),
  );
}

function state(isFilled: boolean): Uint8Array {
  return byte(TAG.STATE, isFilled ? 0x01 : 0x00);
}

function byte(tag: number, value: number): Uint8Array {
  return encodeTlv(tag, Uint8Array.of(value));
}
