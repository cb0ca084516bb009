import { decodeTlvs, encodeTlv, requireTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { CommandApdu } from '@sefleet/globalplatform';
import { orRefuse, refuse } from '../../card/refusal.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { CONTAINER_TYPE, IOT_SAFE_TAG as TAG } from './iot-safe-protocol.ts';
import { findContainer } from './iot-safe-state.ts';
import type { IotSafeState } from './iot-safe-state.ts';

type Context = AppletContext<IotSafeState>;

const ACTIVATED = Uint8Array.of(0x05);
/** Version 1.0 of the interface. */
const APPLICATION_DATA = encodeTlv(0x80, Uint8Array.of(0x01, 0x00));
const LIST = 0x01;
const PRIVATE = 0xc1;
const PUBLIC = 0xc2;
const FILE = 0xc3;
const SECRET = 0xc4;

/**
 * GET DATA (GSMA IoT.05 §4.3): the application, the list of objects, or one object's description; never a
 * secret.
 */
export function getData(command: CommandApdu, context: Context): Answer {
  const { state } = context;
  switch (command.p1) {
    case 0x00:
      return APPLICATION_DATA;
    case LIST:
      return Buffer.concat([
        ...state.keyPairs.flatMap((pair) => [describePrivate(pair), describePublicOf(pair)]),
        ...state.publicKeys.map(describePublic),
        ...state.files.map(describeFile),
        ...state.secrets.map(describeSecret),
      ]);
    case PRIVATE:
      return describePrivate(byId(state.keyPairs, command, TAG.PRIVATE_ID));
    case PUBLIC: {
      const id = requireTlv(decodeTlvs(command.data), TAG.PUBLIC_ID);
      const pair = state.keyPairs.find((candidate) => Buffer.compare(candidate.publicId, id) === 0);
      return pair === undefined
        ? describePublic(byId(state.publicKeys, command, TAG.PUBLIC_ID))
        : describePublicOf(pair);
    }
    case FILE:
      return describeFile(byId(state.files, command, TAG.FILE_ID));
    case SECRET:
      return describeSecret(byId(state.secrets, command, TAG.SECRET_ID));
    default:
      return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
}

/** READ FILE (GSMA IoT.05 §4.2): Le bytes from the offset in P1 P2. */
export function readFile(command: CommandApdu, context: Context): Answer {
  const file = byId(context.state.files, command, TAG.FILE_ID);
  const offset = (command.p1 << 8) | command.p2;
  if (offset > file.content.length) return refuse(STATUS_WORD.INCORRECT_P1_P2);
  return file.content.slice(offset, offset + (command.le ?? 256));
}

function byId<C extends { readonly id: Uint8Array; readonly label: Uint8Array }>(
  containers: readonly C[],
  command: CommandApdu,
  tag: number,
): C {
  const id = requireTlv(decodeTlvs(command.data), tag);
  return orRefuse(findContainer(containers, id), STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
}

function describePrivate(pair: IotSafeState['keyPairs'][number]): Uint8Array {
  const functions = encodeTlv(TAG.FUNCTIONS, Uint8Array.of(0x05));
  const body = [
    encodeTlv(TAG.PRIVATE_LABEL, pair.label),
    encodeTlv(TAG.PRIVATE_ID, pair.id),
    p256(),
    functions,
  ];
  return encodeTlv(PRIVATE, ...body);
}

function describePublicOf(pair: IotSafeState['keyPairs'][number]): Uint8Array {
  return encodeTlv(
    PUBLIC,
    encodeTlv(TAG.PUBLIC_LABEL, pair.label),
    encodeTlv(TAG.PUBLIC_ID, pair.publicId),
    p256(),
  );
}

function describePublic(key: IotSafeState['publicKeys'][number]): Uint8Array {
  return encodeTlv(PUBLIC, encodeTlv(TAG.PUBLIC_LABEL, key.label), encodeTlv(TAG.PUBLIC_ID, key.id), p256());
}

function describeFile(file: IotSafeState['files'][number]): Uint8Array {
  const size = encodeTlv(0x20, Uint8Array.of(file.content.length >> 8, file.content.length));
  return encodeTlv(FILE, encodeTlv(TAG.FILE_LABEL, file.label), encodeTlv(TAG.FILE_ID, file.id), size);
}

function describeSecret(secret: IotSafeState['secrets'][number]): Uint8Array {
  const type = encodeTlv(TAG.KEY_TYPE, Uint8Array.of(CONTAINER_TYPE.SECRET));
  const state = encodeTlv(TAG.STATE, ACTIVATED);
  return encodeTlv(
    SECRET,
    encodeTlv(TAG.SECRET_LABEL, secret.label),
    encodeTlv(TAG.SECRET_ID, secret.id),
    type,
    state,
  );
}

function p256(): Uint8Array {
  const type = encodeTlv(TAG.KEY_TYPE, Uint8Array.of(CONTAINER_TYPE.P256_PERSISTENT));
  return Buffer.concat([type, encodeTlv(TAG.STATE, ACTIVATED)]);
}
