import { ByteReader, ByteWriter, bytesEqual } from '@sefleet/bytes';
import type { SignatureAlgorithm } from './algorithms.ts';

/** A named object; `id` is what commands refer to it by, as the label is. */
interface Container {
  readonly id: Uint8Array;
  readonly label: Uint8Array;
}

/** A secret: a pre-shared key, or key material for HKDF. It never leaves. */
interface SecretContainer extends Container {
  readonly value: Uint8Array;
}

/**
 * A key pair; empty until GENERATE KEY PAIR or an import fills it. One of a volatile type is filled in the
 * memory of a logical channel and stays empty here.
 */
export interface KeyPairContainer extends Container {
  /** One of {@link CONTAINER_TYPE}. */
  readonly type: number;
  readonly publicId: Uint8Array;
  /** A scalar of 32 bytes, or an RSA key in PKCS #1 DER. */
  readonly privateKey: Uint8Array;
  /** What stands in tag 49: a point, or modulus and exponent. */
  readonly publicKey: Uint8Array;
}

/** A public key of somebody else. */
interface PublicKeyContainer extends Container {
  readonly type: number;
  /** As in {@link KeyPairContainer}; empty until it is put. */
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

/** What a logical channel keeps of the applet until it is deselected. */
export interface IotSafeMemory {
  readonly sessions: Map<number, OpenSession>;
  /** Keys of volatile containers, by the container's identifier in hexadecimal. */
  readonly volatileKeys: Map<string, KeyPair>;
}

/** Both halves of a key pair. */
export type KeyPair = Pick<KeyPairContainer, 'privateKey' | 'publicKey'>;

/** What an open session of the applet waits for. */
export interface OpenSession {
  readonly kind: 'sign' | 'verify' | 'put-public-key';
  /** Identifier of the container that it is about. */
  readonly id: Uint8Array;
  readonly mode: number;
  readonly algorithm: SignatureAlgorithm | undefined;
  /** The data of UPDATE commands, as they came. */
  readonly parts: Uint8Array[];
  length: number;
}

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
    writer.u8(item.type);
    for (const part of [item.id, item.label, item.publicId, item.privateKey, item.publicKey]) field(part);
  }
  writer.u8(state.publicKeys.length);
  for (const item of state.publicKeys) {
    writer.u8(item.type);
    for (const part of [item.id, item.label, item.publicKey]) field(part);
  }
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
    type: reader.u8(),
    id: field(),
    label: field(),
    publicId: field(),
    privateKey: field(),
    publicKey: field(),
  }));
  const publicKeys = list(() => ({
    type: reader.u8(),
    id: field(),
    label: field(),
    publicKey: field(),
  }));
  const files = list(() => ({ id: field(), label: field(), content: field() }));
  reader.end();
  return { secrets, keyPairs, publicKeys, files };
}
