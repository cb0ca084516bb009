import { decodeTlvs, findTlv, requireTlv, splitSymmetricValue, STATUS_WORD } from '@sefleet/globalplatform';
import type { Tlv } from '@sefleet/globalplatform';
import { bytesEqual } from '@sefleet/bytes';
import { orRefuse, refuse } from '../../card/refusal.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { CONTAINER_TYPE, IOT_SAFE_STORE, IOT_SAFE_TAG as TAG } from './iot-safe-protocol.ts';
import { putContainer } from './iot-safe-state.ts';
import type { IotSafeState } from './iot-safe-state.ts';
import { publicKeyOf } from './curves.ts';
import { curveOf, encodePoint, isKeyType, readPublicKeyValue } from './public-keys.ts';

type Context = AppletContext<IotSafeState>;

/** Containers of each kind; GET DATA tells it. */
export const MAX_CONTAINERS = 16;
const MAX_ID_BYTES = 20;
const MAX_LABEL_BYTES = 60;
const MAX_FILE_BYTES = 8192;
const MAX_SECRET_BYTES = 64;
const PRIVATE_KEY_BYTES = 32;
const EMPTY = new Uint8Array(0);

/** One personalisation: templates that create, replace or remove containers, all or none. */
export function personaliseIotSafe(data: Uint8Array, _p1: number, context: Context): Answer {
  let state = context.state;
  for (const template of decodeTlvs(data)) state = apply(state, template, context);
  const lists = [state.secrets, state.keyPairs, state.publicKeys, state.files];
  if (lists.some((list) => list.length > MAX_CONTAINERS)) refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
  context.state = state;
  return EMPTY;
}

function apply(state: IotSafeState, template: Tlv, context: Context): IotSafeState {
  const fields = decodeTlvs(template.value);
  switch (template.tag) {
    case IOT_SAFE_STORE.SECRET: {
      const value = decryptField(requireTlv(fields, TAG.SECRET), context);
      const secret = { ...naming(fields, TAG.SECRET_ID, TAG.SECRET_LABEL), value };
      return { ...state, secrets: putContainer(state.secrets, secret) };
    }
    case IOT_SAFE_STORE.KEY_PAIR: {
      const name = naming(fields, TAG.PRIVATE_ID, TAG.PRIVATE_LABEL);
      const publicId = identifier(requireTlv(fields, TAG.PUBLIC_ID));
      const imported = findTlv(fields, TAG.SECRET);
      const type = typeIn(fields);
      const keys =
        imported === undefined
          ? { privateKey: EMPTY, publicKey: EMPTY }
          : readPrivate(imported, type, context);
      return { ...state, keyPairs: putContainer(state.keyPairs, { ...name, type, publicId, ...keys }) };
    }
    case IOT_SAFE_STORE.PUBLIC_KEY: {
      const type = typeIn(fields);
      const isFilled = findTlv(fields, TAG.PUBLIC_KEY) !== undefined;
      const publicKey = isFilled ? readPublicKeyValue(fields, type) : EMPTY;
      const key = { ...naming(fields, TAG.PUBLIC_ID, TAG.PUBLIC_LABEL), type, publicKey };
      return { ...state, publicKeys: putContainer(state.publicKeys, key) };
    }
    case IOT_SAFE_STORE.FILE: {
      const content = requireTlv(fields, 0x80).slice();
      if (content.length > MAX_FILE_BYTES) return refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
      const file = { ...naming(fields, TAG.FILE_ID, TAG.FILE_LABEL), content };
      return { ...state, files: putContainer(state.files, file) };
    }
    case IOT_SAFE_STORE.REMOVE:
      return remove(state, fields);
    default:
      return refuse(STATUS_WORD.WRONG_DATA);
  }
}

function remove(state: IotSafeState, fields: readonly Tlv[]): IotSafeState {
  const [field] = fields;
  if (field === undefined) return refuse(STATUS_WORD.WRONG_DATA);
  const others = <C extends { readonly id: Uint8Array }>(list: readonly C[]): readonly C[] => {
    const kept = list.filter((container) => !bytesEqual(container.id, field.value));
    return kept.length === list.length ? refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND) : kept;
  };
  switch (field.tag) {
    case TAG.SECRET_ID:
      return { ...state, secrets: others(state.secrets) };
    case TAG.PRIVATE_ID:
      return { ...state, keyPairs: others(state.keyPairs) };
    case TAG.PUBLIC_ID:
      return { ...state, publicKeys: others(state.publicKeys) };
    case TAG.FILE_ID:
      return { ...state, files: others(state.files) };
    default:
      return refuse(STATUS_WORD.WRONG_DATA);
  }
}

function naming(fields: readonly Tlv[], idTag: number, labelTag: number) {
  const id = identifier(requireTlv(fields, idTag));
  const label = (findTlv(fields, labelTag) ?? EMPTY).slice();
  return label.length > MAX_LABEL_BYTES ? refuse(STATUS_WORD.WRONG_DATA) : { id, label };
}

function identifier(id: Uint8Array): Uint8Array {
  return id.length >= 1 && id.length <= MAX_ID_BYTES ? id.slice() : refuse(STATUS_WORD.WRONG_DATA);
}

function decryptField(field: Uint8Array, context: Context): Uint8Array {
  const { keyLength, ciphertext } = orRefuse(splitSymmetricValue(field), STATUS_WORD.WRONG_DATA);
  const plain = orRefuse(context.decryptSensitive(ciphertext), STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
  if (keyLength > MAX_SECRET_BYTES) return refuse(STATUS_WORD.WRONG_DATA);
  return Uint8Array.from(plain.subarray(0, keyLength));
}

function typeIn(fields: readonly Tlv[]): number {
  const [type = CONTAINER_TYPE.P256_PERSISTENT] = findTlv(fields, TAG.KEY_TYPE) ?? [];
  return isKeyType(type) ? type : refuse(STATUS_WORD.WRONG_DATA);
}

/** RSA keys are made on the card and not imported. */
function readPrivate(field: Uint8Array, type: number, context: Context) {
  const privateKey = decryptField(field, context);
  const curve = curveOf(type);
  if (curve === undefined || privateKey.length !== PRIVATE_KEY_BYTES) return refuse(STATUS_WORD.WRONG_DATA);
  try {
    return { privateKey, publicKey: encodePoint(publicKeyOf(curve, privateKey)) };
  } catch {
    // OpenSSL refuses zero and what is beyond the order.
    return refuse(STATUS_WORD.WRONG_DATA);
  }
}
