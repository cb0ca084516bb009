import { ByteReader, ByteWriter, bytesEqual } from '@sefleet/bytes';

/** A named object; `id` is what commands refer to it by, as the label is. */
interface Container {
  readonly id: Uint8Array;
  readonly label: Uint8Array;
}

/** A secret: a pre-shared key, or key material for HKDF. It never leaves. */
interface SecretContainer extends Container {
  readonly value: Uint8Array;
}

/** A P-256 key pair; empty until GENERATE KEY PAIR or an import fills it. */
export interface KeyPairContainer extends Container {
  readonly publicId: Uint8Array;
  readonly privateKey: Uint8Array;
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Uint8Array;
}

/** A public key of somebody else, for VERIFY. */
interface PublicKeyContainer extends Container {
  readonly publicKey: Uint8Array;
}

/** A file: a certificate, usually. */
interface FileContainer extends Container {
  readonly content: Uint8Array;
}

/** All that an IoT SAFE applet keeps. */
export interface IotSafeState {
  readonly secrets: readonly SecretContainer[];
  readonly keyPairs: readonly KeyPairContainer[];
  readonly publicKeys: readonly PublicKeyContainer[];
  readonly files: readonly FileContainer[];
}

/** A new applet's state. */
export const EMPTY_IOT_SAFE: IotSafeState = { secrets: [], keyPairs: [], publicKeys: [], files: [] };

/** The container with this identifier. */
export function findContainer<C extends Container>(containers: readonly C[], id: Uint8Array): C | undefined {
  return containers.find((container) => bytesEqual(container.id, id));
}

/** `containers` with `container` in the place of the one with the same identifier, or added. */
export function putContainer<C extends Container>(containers: readonly C[], container: C): readonly C[] {
  const at = containers.findIndex((other) => bytesEqual(other.id, container.id));
  return at < 0 ? [...containers, container] : containers.with(at, container);
}

/** The state as it stands in a card image. */
export function encodeIotSafeState(state: IotSafeState): Uint8Array {
  const writer = new ByteWriter(256);
  const field = (value: Uint8Array): void => void writer.lengthPrefixed(2, (body) => body.bytes(value));
  writer.u8(state.secrets.length);
  for (const item of state.secrets) for (const part of [item.id, item.label, item.value]) field(part);
  writer.u8(state.keyPairs.length);
  for (const item of state.keyPairs) {
    for (const part of [item.id, item.label, item.publicId, item.privateKey, item.publicKey]) field(part);
  }
  writer.u8(state.publicKeys.length);
  for (const item of state.publicKeys) for (const part of [item.id, item.label, item.publicKey]) field(part);
  writer.u8(state.files.length);
  for (const item of state.files) for (const part of [item.id, item.label, item.content]) field(part);
  return writer.finish();
}

/** Reads {@link encodeIotSafeState}. */
export function decodeIotSafeState(bytes: Uint8Array): IotSafeState {
  const reader = new ByteReader(bytes);
  const field = (): Uint8Array => reader.bytes(reader.u16()).slice();
  const list = <T>(read: () => T): readonly T[] => {
    const items: T[] = [];
    for (let left = reader.u8(); left > 0; left--) items.push(read());
    return items;
  };
  const secrets = list(() => ({ id: field(), label: field(), value: field() }));
  const keyPairs = list(() => ({
    id: field(),
    label: field(),
    publicId: field(),
    privateKey: field(),
    publicKey: field(),
  }));
  const publicKeys = list(() => ({ id: field(), label: field(), publicKey: field() }));
  const files = list(() => ({ id: field(), label: field(), content: field() }));
  reader.end();
  return { secrets, keyPairs, publicKeys, files };
}
