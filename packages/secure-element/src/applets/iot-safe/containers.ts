import { bytesEqual, toHex } from '@sefleet/bytes';
import { findTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { Tlv } from '@sefleet/globalplatform';
import { orRefuse, refuse } from '../../card/refusal.ts';
import type { AppletContext } from '../applet.ts';
import { IOT_SAFE_TAG as TAG } from './iot-safe-protocol.ts';
import type { IotSafeMemory, IotSafeState, KeyPairContainer } from './iot-safe-state.ts';

type Context = AppletContext<IotSafeState>;
type Named = { readonly id: Uint8Array; readonly label: Uint8Array };

/** A public key and the type of the container that it is in. */
export interface PublicKeyEntry extends Named {
  readonly type: number;
  readonly publicKey: Uint8Array;
}

/**
 * The container that a command names by identifier or by label (GSMA IoT.05 §3): 6A80 when it names none or
 * twice, 6A88 when there is none of that name.
 */
export function named<C extends Named>(
  containers: readonly C[],
  objects: readonly Tlv[],
  idTag: number,
  labelTag: number,
): C {
  const id = findTlv(objects, idTag);
  const label = findTlv(objects, labelTag);
  if ((id === undefined) === (label === undefined)) return refuse(STATUS_WORD.WRONG_DATA);
  const found = containers.find(
    (container) =>
      (id !== undefined && bytesEqual(container.id, id)) ||
      (label !== undefined && bytesEqual(container.label, label)),
  );
  return orRefuse(found, STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
}

/** The key pair that 84 or 74 names. */
export function namedKeyPair(state: IotSafeState, objects: readonly Tlv[]): KeyPairContainer {
  return named(state.keyPairs, objects, TAG.PRIVATE_ID, TAG.PRIVATE_LABEL);
}

/** The public key that 85 or 75 names: somebody else's, or the half of a key pair. */
export function namedPublicKey(context: Context, objects: readonly Tlv[]): PublicKeyEntry {
  return named(publicKeysOf(context), objects, TAG.PUBLIC_ID, TAG.PUBLIC_LABEL);
}

/** Everything that has a public key. */
export function publicKeysOf(context: Context): readonly PublicKeyEntry[] {
  const { state } = context;
  const own = state.keyPairs.map((pair) => {
    const { type, label, publicId } = pair;
    return { type, label, id: publicId, publicKey: keysOf(context, pair)?.publicKey ?? pair.publicKey };
  });
  return [...state.publicKeys, ...own];
}

/** The keys of a container: from the card's memory, or from the channel's for a volatile one. */
export function keysOf(context: Context, pair: KeyPairContainer) {
  const kept = pair.privateKey.length > 0 ? pair : memoryOf(context).volatileKeys.get(toHex(pair.id));
  return kept;
}

/** The memory of the logical channel. */
export function memoryOf(context: Context): IotSafeMemory {
  // Only this applet writes its memory.
  const known = context.memory as IotSafeMemory | undefined;
  if (known !== undefined) return known;
  const memory: IotSafeMemory = { sessions: new Map(), volatileKeys: new Map() };
  context.memory = memory;
  return memory;
}
