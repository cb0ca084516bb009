import { concatBytes } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { decodeOnlyTlv, decodeTlvs, encodeTlv, requireTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { IOT_SAFE_INSTANCE } from '../applets/iot-safe/identifiers.ts';
import {
  IOT_SAFE_INS,
  IOT_SAFE_TAG as TAG,
  PRF_MODE,
  SESSION,
  SIGNATURE_MODE,
} from '../applets/iot-safe/iot-safe-protocol.ts';
import { derSignature, P256, subjectPublicKeyInfo } from '../applets/iot-safe/curves.ts';
import { encodePoint, encodePublicKey } from '../applets/iot-safe/public-keys.ts';
import { AppletLink } from './applet-link.ts';
import type { LocalTransmit } from './applet-link.ts';

/** What {@link IotSafeClient.masterSecret} derives from. */
export interface MasterSecretInput {
  /** `master secret` (RFC 5246 §8.1) or `extended master secret` (RFC 7627 §4). */
  readonly label: string;
  readonly seed: Uint8Array;
  /** The ECDH shared secret of an ECDHE_PSK suite (RFC 5489 §2); absent for plain PSK. */
  readonly otherSecret?: Uint8Array;
}

const MASTER_SECRET_LENGTH = 48;
/** Text per COMPUTE SIGNATURE - UPDATE. */
const TEXT_CHUNK = 240;
const NO_DATA = new Uint8Array(0);

/**
 * The host's side of an IoT SAFE applet (GSMA IoT.05): keys are named by their identifiers and used on the
 * card. One client has one logical channel of the card.
 *
 * @example
 * const client = new IotSafeClient(card.transmit);
 * const psk = { identity, masterSecret: (request) => client.masterSecret(secretId, request) };
 */
export class IotSafeClient {
  readonly #link: AppletLink;

  /** @param application The instance; IoT SAFE's own AID unless given. */
  constructor(transmit: LocalTransmit, application: Aid = IOT_SAFE_INSTANCE) {
    this.#link = new AppletLink(transmit, application);
  }

  /** The 48-byte TLS 1.2 master secret from the pre-shared key in container `secretId`. */
  masterSecret(secretId: Uint8Array, input: MasterSecretInput): Uint8Array {
    const { otherSecret } = input;
    const data = concatBytes(
      encodeTlv(TAG.SECRET_ID, secretId),
      encodeTlv(TAG.LABEL_AND_SEED, Buffer.from(input.label, 'ascii'), input.seed),
      encodeTlv(TAG.PRF_LENGTH, Uint8Array.of(0, MASTER_SECRET_LENGTH)),
      otherSecret === undefined ? NO_DATA : encodeTlv(TAG.PREMASTER, otherSecret),
    );
    const mode = otherSecret === undefined ? PRF_MODE.PSK_PLAIN : PRF_MODE.PSK_ECDHE;
    return this.#command(IOT_SAFE_INS.COMPUTE_PRF, mode, 0, data);
  }

  /** The DER ECDSA signature over a SHA-256 digest with the private key `privateId`. */
  sign(privateId: Uint8Array, digest: Uint8Array): Uint8Array {
    this.#signInit(privateId, SIGNATURE_MODE.PADDING);
    return signatureOf(
      this.#command(IOT_SAFE_INS.COMPUTE_SIGNATURE_UPDATE, SESSION.LAST, 1, encodeTlv(TAG.HASH, digest)),
    );
  }

  /** The DER ECDSA signature over `message`, which the card hashes with SHA-256. */
  signMessage(privateId: Uint8Array, message: Uint8Array): Uint8Array {
    this.#signInit(privateId, SIGNATURE_MODE.FULL_TEXT);
    return signatureOf(this.#sendText(IOT_SAFE_INS.COMPUTE_SIGNATURE_UPDATE, message, NO_DATA));
  }

  /**
   * True when `signature` is one over `message` by the key in container `publicId`: ECDSA with SHA-256, r and
   * s of 32 bytes each. The card decides.
   *
   * @throws SefleetError `SE_APPLET_REFUSED` when there is no such key on the card
   */
  verifyMessage(publicId: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    this.#openSession(IOT_SAFE_INS.VERIFY_SIGNATURE_INIT, TAG.PUBLIC_ID, publicId, SIGNATURE_MODE.FULL_TEXT);
    try {
      const end = encodeTlv(TAG.SIGNATURE, signature);
      this.#sendText(IOT_SAFE_INS.VERIFY_SIGNATURE_UPDATE, message, end);
      return true;
    } catch (error) {
      if (!isSefleetError(error, 'SE_APPLET_REFUSED')) throw error;
      if (error.context['sw'] !== STATUS_WORD.SIGNATURE_INVALID) throw error;
      return false;
    }
  }

  /** Makes a new key pair in container `privateId`; its public key as an uncompressed point. */
  generateKeyPair(privateId: Uint8Array): Uint8Array {
    return pointOf(this.#command(IOT_SAFE_INS.GENERATE_KEY_PAIR, 0, 0, encodeTlv(TAG.PRIVATE_ID, privateId)));
  }

  /** The public key in container `publicId`: an uncompressed point, 65 bytes. */
  publicKey(publicId: Uint8Array): Uint8Array {
    return pointOf(this.#command(IOT_SAFE_INS.READ_PUBLIC_KEY, 0, 0, encodeTlv(TAG.PUBLIC_ID, publicId)));
  }

  /** The public key in container `publicId` as DER SubjectPublicKeyInfo. */
  subjectPublicKeyInfo(publicId: Uint8Array): Uint8Array {
    return subjectPublicKeyInfo(P256, this.publicKey(publicId));
  }

  /** The ECDH shared secret of the private key `privateId` and an uncompressed point. */
  sharedSecret(privateId: Uint8Array, peer: Uint8Array): Uint8Array {
    const key = encodePublicKey(encodePoint(peer));
    const data = concatBytes(encodeTlv(TAG.PRIVATE_ID, privateId), key);
    return this.#command(IOT_SAFE_INS.COMPUTE_DH, 0, 0, data);
  }

  /** Random bytes of the card, 1 to 256. */
  random(length: number): Uint8Array {
    return this.#link.command({
      cla: 0,
      ins: IOT_SAFE_INS.GET_RANDOM,
      p1: 0,
      p2: 0,
      data: NO_DATA,
      le: length,
    });
  }

  /** The content of file `fileId`. */
  readFile(fileId: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    let offset = 0;
    for (;;) {
      const data = encodeTlv(TAG.FILE_ID, fileId);
      const part = this.#command(IOT_SAFE_INS.READ_FILE, offset >> 8, offset & 0xff, data);
      parts.push(part);
      offset += part.length;
      if (part.length < 0x100) return concatBytes(...parts);
    }
  }

  /** Gives the logical channel back. */
  close(): void {
    this.#link.close();
  }

  #signInit(privateId: Uint8Array, mode: number): void {
    this.#openSession(IOT_SAFE_INS.COMPUTE_SIGNATURE_INIT, TAG.PRIVATE_ID, privateId, mode);
  }

  #openSession(ins: number, keyTag: number, keyId: Uint8Array, mode: number): void {
    const data = concatBytes(
      encodeTlv(keyTag, keyId),
      encodeTlv(TAG.MODE, Uint8Array.of(mode)),
      encodeTlv(TAG.HASH_ALGORITHM, Uint8Array.of(0x00, 0x01)),
      encodeTlv(TAG.SIGNATURE_ALGORITHM, Uint8Array.of(0x04)),
    );
    this.#command(ins, SESSION.OPEN, 1, data);
  }

  /** Gives a session its text in parts, `end` with the last of them; the answer to that. */
  #sendText(ins: number, text: Uint8Array, end: Uint8Array): Uint8Array {
    const chunk = TEXT_CHUNK - end.length;
    for (let at = 0; ; at += chunk) {
      const last = at + chunk >= text.length;
      const part = encodeTlv(TAG.TEXT, text.subarray(at, at + chunk));
      if (last) return this.#command(ins, SESSION.LAST, 1, concatBytes(part, end));
      this.#command(ins, SESSION.MORE, 1, part);
    }
  }

  #command(ins: number, p1: number, p2: number, data: Uint8Array): Uint8Array {
    return this.#link.command({ cla: 0x00, ins, p1, p2, data, le: 0x100 });
  }
}

function signatureOf(response: Uint8Array): Uint8Array {
  return derSignature(decodeOnlyTlv(response, TAG.SIGNATURE));
}

function pointOf(response: Uint8Array): Uint8Array {
  const key = decodeTlvs(requireTlv(decodeTlvs(response), TAG.PUBLIC_KEY));
  return decodeOnlyTlv(requireTlv(key, TAG.KEY_VALUE), TAG.EC_POINT).slice();
}
