import { concatBytes } from '@sefleet/bytes';
import { encodeTlv, installForPersonalizationCommand, storeDataCommands } from '@sefleet/globalplatform';
import type { CommandApdu, KeyEncryptor } from '@sefleet/globalplatform';
import { IOT_SAFE_STORE, IOT_SAFE_TAG } from '../applets/iot-safe/iot-safe-protocol.ts';
import { encodePoint, encodePublicKey } from '../applets/iot-safe/public-keys.ts';
import { wrapSecret } from './secret-wrapping.ts';

/** A container of an IoT SAFE applet, to be made or replaced. */
export type IotSafeContainer =
  | { readonly kind: 'secret'; readonly id: Uint8Array; readonly label: string; readonly value: Uint8Array }
  | {
      readonly kind: 'key-pair';
      readonly privateId: Uint8Array;
      readonly publicId: Uint8Array;
      readonly label: string;
      /** P-256 unless given; see `KEY_CONTAINER_TYPE`. */
      readonly type?: number;
      /** 32 bytes when the key comes from outside; else GENERATE KEY PAIR fills the container. */
      readonly privateKey?: Uint8Array;
    }
  /** Somebody else's public key, an uncompressed point of P-256, for signatures that the card checks. */
  | {
      readonly kind: 'public-key';
      readonly id: Uint8Array;
      readonly label: string;
      readonly publicKey: Uint8Array;
    }
  /** A container that PUT PUBLIC KEY fills. */
  | {
      readonly kind: 'public-key-slot';
      readonly id: Uint8Array;
      readonly label: string;
      readonly type?: number;
    }
  | { readonly kind: 'file'; readonly id: Uint8Array; readonly label: string; readonly content: Uint8Array }
  | { readonly kind: 'remove-secret'; readonly id: Uint8Array };

/**
 * The commands that make or replace containers of an IoT SAFE applet, for an open session with the Security
 * Domain that it belongs to. All containers change together, or none.
 */
export function iotSafePersonalisationCommands(
  session: KeyEncryptor,
  application: Uint8Array,
  containers: readonly IotSafeContainer[],
): readonly CommandApdu[] {
  const data = concatBytes(...containers.map((container) => encodeContainer(session, container)));
  return [
    installForPersonalizationCommand(application),
    ...storeDataCommands(data, { format: 'ber-tlv', encrypted: true }),
  ];
}

function encodeContainer(session: KeyEncryptor, container: IotSafeContainer): Uint8Array {
  switch (container.kind) {
    case 'secret':
      return encodeTlv(
        IOT_SAFE_STORE.SECRET,
        encodeTlv(IOT_SAFE_TAG.SECRET_ID, container.id),
        encodeTlv(IOT_SAFE_TAG.SECRET_LABEL, Buffer.from(container.label)),
        encodeTlv(IOT_SAFE_TAG.SECRET, wrapSecret(session, container.value)),
      );
    case 'key-pair':
      return encodeTlv(
        IOT_SAFE_STORE.KEY_PAIR,
        encodeTlv(IOT_SAFE_TAG.PRIVATE_ID, container.privateId),
        encodeTlv(IOT_SAFE_TAG.PUBLIC_ID, container.publicId),
        encodeTlv(IOT_SAFE_TAG.PRIVATE_LABEL, Buffer.from(container.label)),
        ...typeOf(container.type),
        ...(container.privateKey === undefined
          ? []
          : [encodeTlv(IOT_SAFE_TAG.SECRET, wrapSecret(session, container.privateKey))]),
      );
    case 'public-key':
      return encodeTlv(
        IOT_SAFE_STORE.PUBLIC_KEY,
        encodeTlv(IOT_SAFE_TAG.PUBLIC_ID, container.id),
        encodeTlv(IOT_SAFE_TAG.PUBLIC_LABEL, Buffer.from(container.label)),
        encodePublicKey(encodePoint(container.publicKey)),
      );
    case 'public-key-slot':
      return encodeTlv(
        IOT_SAFE_STORE.PUBLIC_KEY,
        encodeTlv(IOT_SAFE_TAG.PUBLIC_ID, container.id),
        encodeTlv(IOT_SAFE_TAG.PUBLIC_LABEL, Buffer.from(container.label)),
        ...typeOf(container.type),
      );
    case 'file':
      return encodeTlv(
        IOT_SAFE_STORE.FILE,
        encodeTlv(IOT_SAFE_TAG.FILE_ID, container.id),
        encodeTlv(IOT_SAFE_TAG.FILE_LABEL, Buffer.from(container.label)),
        encodeTlv(0x80, container.content),
      );
    case 'remove-secret':
      return encodeTlv(IOT_SAFE_STORE.REMOVE, encodeTlv(IOT_SAFE_TAG.SECRET_ID, container.id));
    default:
      return container satisfies never;
  }
}

function typeOf(type: number | undefined): readonly Uint8Array[] {
  return type === undefined ? [] : [encodeTlv(IOT_SAFE_TAG.KEY_TYPE, Uint8Array.of(type))];
}
