import { createECDH } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { concatBytes, constantTimeEqual } from '@sefleet/bytes';
import { gpCommand, INS } from '../content/command.ts';
import { KEY_TYPE } from '../content/put-key.ts';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { aesCmac } from '../crypto/aes-cmac.ts';
import type { StaticKeys } from '../crypto/key-derivation.ts';
import { deriveX963 } from '../crypto/key-derivation.ts';
import { signGp } from '../crypto/public-key.ts';
import { globalPlatformError } from '../errors.ts';
import { decodeTlvs, encodeTlv, findTlv, requireTlv } from '../tlv/ber-tlv.ts';
import type { Tlv } from '../tlv/ber-tlv.ts';
import { encodeDgis } from '../tlv/dgi.ts';
import { encodeLvs } from '../tlv/length-value.ts';

/** Data groupings of key agreement with a Controlling Authority (GPC_SPE_007 §4.8). */
export const SCENARIO3_DGI = {
  CERTIFICATE: 0x3a01,
  PARAMETERS: 0x3a02,
  EPHEMERAL_KEY: 0x7f49,
  SIGNATURE: 0x5f37,
} as const;

/** Bits of the scenario parameter (second byte of tag 90). */
export const SCENARIO3_PARAMETER = { DERIVATION_RANDOM: 0x02, IDENTIFIERS: 0x04, CERTIFICATE: 0x08 } as const;

/** What both sides of an agreement have to know alike: the A6 template. */
export interface Scenario3Parameters {
  /** {@link SCENARIO3_PARAMETER} bits. */
  readonly parameter: number;
  /** Version of the key set that comes out. */
  readonly keyVersion: number;
  /** Identifier of its first key, 1. */
  readonly keyId: number;
  /** AES key length in bytes. */
  readonly keyLength: 16 | 24 | 32;
  /** Host identifier, used with `IDENTIFIERS`. */
  readonly hostId?: Uint8Array;
  /** Security Domain image number, used with `IDENTIFIERS`. */
  readonly domainImageNumber?: Uint8Array;
}

/** The keys that come out, and the one that made the receipt. */
export interface AgreedKeys {
  readonly receiptKey: Uint8Array;
  readonly keys: StaticKeys;
}

/** Three keys for a secure channel (tag 95). */
const USAGE_CHANNEL_KEYS = 0x10;
const SCENARIO = 0x03;
const RECEIPT_KEY_LENGTH = 16;

/**
 * The A6 template: scenario, usage, key type and length, identifier and version, initial counter,
 * identifiers.
 */
export function encodeScenario3Parameters(parameters: Scenario3Parameters): Uint8Array {
  const { hostId, domainImageNumber } = parameters;
  return encodeTlv(
    0xa6,
    encodeTlv(0x90, Uint8Array.of(SCENARIO, parameters.parameter)),
    encodeTlv(0x95, Uint8Array.of(USAGE_CHANNEL_KEYS)),
    encodeTlv(0x80, Uint8Array.of(KEY_TYPE.AES)),
    encodeTlv(0x81, Uint8Array.of(parameters.keyLength)),
    encodeTlv(0x82, Uint8Array.of(parameters.keyId)),
    encodeTlv(0x83, Uint8Array.of(parameters.keyVersion)),
    encodeTlv(0x91, Uint8Array.of(0, 0, 0)),
    ...(domainImageNumber === undefined ? [] : [encodeTlv(0x45, domainImageNumber)]),
    ...(hostId === undefined ? [] : [encodeTlv(0x84, hostId)]),
  );
}

/** Reads {@link encodeScenario3Parameters}; undefined for another scenario, usage or key type. */
export function decodeScenario3Parameters(template: Uint8Array): Scenario3Parameters | undefined {
  const [object, ...rest] = decodeTlvs(template);
  if (object?.tag !== 0xa6 || rest.length > 0) return undefined;
  const fields = decodeTlvs(object.value);
  const [scenario, parameter] = requireTlv(fields, 0x90);
  const keyLength = byteOf(fields, 0x81);
  const known = scenario === SCENARIO && byteOf(fields, 0x95) === USAGE_CHANNEL_KEYS;
  if (!known || byteOf(fields, 0x80) !== KEY_TYPE.AES || parameter === undefined) return undefined;
  if (keyLength !== 16 && keyLength !== 24 && keyLength !== 32) return undefined;
  const hostId = findTlv(fields, 0x84);
  const domainImageNumber = findTlv(fields, 0x45);
  return {
    parameter,
    keyLength,
    keyId: byteOf(fields, 0x82),
    keyVersion: byteOf(fields, 0x83),
    ...(hostId === undefined ? {} : { hostId }),
    ...(domainImageNumber === undefined ? {} : { domainImageNumber }),
  };
}

/**
 * The keys of an agreement, the same on both sides.
 *
 * @param secret x coordinate of the ECDH of the provider's ephemeral key and the authority domain's static
 * one.
 * @param derivationRandom The card's random number, when the parameters ask for one.
 * @param issuerIdentification The card's, with `IDENTIFIERS`.
 */
export function deriveScenario3(
  secret: Uint8Array,
  parameters: Scenario3Parameters,
  derivationRandom: Uint8Array | undefined,
  issuerIdentification: Uint8Array = new Uint8Array(0),
): AgreedKeys {
  const { keyLength, parameter, hostId, domainImageNumber } = parameters;
  const none = new Uint8Array(0);
  const sharedInfo = concatBytes(
    Uint8Array.of(USAGE_CHANNEL_KEYS, KEY_TYPE.AES, keyLength),
    derivationRandom ?? none,
    (parameter & SCENARIO3_PARAMETER.IDENTIFIERS) === 0
      ? none
      : encodeLvs(hostId ?? none, issuerIdentification, domainImageNumber ?? none),
  );
  const output = deriveX963(secret, sharedInfo, RECEIPT_KEY_LENGTH + 3 * keyLength);
  const key = (i: number): Uint8Array =>
    output.slice(RECEIPT_KEY_LENGTH + i * keyLength, RECEIPT_KEY_LENGTH + (i + 1) * keyLength);
  return { receiptKey: output.slice(0, RECEIPT_KEY_LENGTH), keys: { enc: key(0), mac: key(1), dek: key(2) } };
}

/** The receipt over the parameters and the derivation random: who has the receipt key has the keys. */
export function scenario3Receipt(
  receiptKey: Uint8Array,
  template: Uint8Array,
  derivationRandom: Uint8Array | undefined,
): Uint8Array {
  const random = derivationRandom === undefined ? new Uint8Array(0) : encodeTlv(0x85, derivationRandom);
  return aesCmac(receiptKey, template, random);
}

/** What the provider's signature covers: grouping 3A02, grouping 7F49 and the card's challenge (tag 85). */
export function scenario3Signed(
  template: Uint8Array,
  ephemeralKey: Uint8Array,
  challenge: Uint8Array,
): Uint8Array {
  return concatBytes(
    encodeDgis([
      { id: SCENARIO3_DGI.PARAMETERS, data: template },
      { id: SCENARIO3_DGI.EPHEMERAL_KEY, data: ephemeralKey },
    ]),
    encodeTlv(0x85, challenge),
  );
}

/** The ephemeral public key in grouping 7F49. */
export function encodeEphemeralKey(point: Uint8Array): Uint8Array {
  return concatBytes(
    encodeTlv(KEY_TYPE.EC_PUBLIC, point),
    encodeTlv(KEY_TYPE.EC_PARAMETERS, Uint8Array.of(0)),
  );
}

/** First command: the provider's certificate; the card answers with its challenge in tag 85. */
export function scenario3CertificateCommand(certificate: Uint8Array): CommandApdu {
  return gpCommand(
    INS.STORE_DATA,
    0x09,
    0x00,
    encodeDgis([{ id: SCENARIO3_DGI.CERTIFICATE, data: certificate }]),
  );
}

/** The challenge in the answer to {@link scenario3CertificateCommand}. */
export function readScenario3Challenge(response: Uint8Array): Uint8Array {
  return requireTlv(decodeTlvs(response), 0x85);
}

/**
 * The application provider's part of key agreement scenario #3: it makes the second command, and from its
 * answer the keys that nobody between it and the card can know.
 *
 * @example
 * const agreement = new Scenario3Agreement({ signingKey, authorityDomainPoint, parameters, ephemeralScalar
 * });
 * const keys = agreement.finish(await relay(agreement.command(challenge)));
 */
export class Scenario3Agreement {
  readonly #parameters: Scenario3Parameters;
  readonly #signingKey: KeyObject;
  readonly #secret: Uint8Array;
  readonly #ephemeralKey: Uint8Array;
  readonly #issuerIdentification: Uint8Array | undefined;

  /**
   * @param options.signingKey The private key of the provider's certificate.
   * @param options.authorityDomainPoint The public key in the certificate of the card's authority domain,
   * verified.
   * @param options.ephemeralScalar 32 random bytes; used once.
   */
  constructor(options: {
    readonly parameters: Scenario3Parameters;
    readonly signingKey: KeyObject;
    readonly authorityDomainPoint: Uint8Array;
    readonly ephemeralScalar: Uint8Array;
    readonly issuerIdentification?: Uint8Array;
  }) {
    const ecdh = createECDH('prime256v1');
    ecdh.setPrivateKey(options.ephemeralScalar);
    this.#parameters = options.parameters;
    this.#signingKey = options.signingKey;
    this.#secret = Uint8Array.from(ecdh.computeSecret(options.authorityDomainPoint));
    this.#ephemeralKey = encodeEphemeralKey(ecdh.getPublicKey());
    this.#issuerIdentification = options.issuerIdentification;
  }

  /** Second command: parameters, ephemeral key, and the signature over both and the card's challenge. */
  command(challenge: Uint8Array): CommandApdu {
    const template = encodeScenario3Parameters(this.#parameters);
    const signature = signGp(this.#signingKey, scenario3Signed(template, this.#ephemeralKey, challenge));
    const data = encodeDgis([
      { id: SCENARIO3_DGI.PARAMETERS, data: template },
      { id: SCENARIO3_DGI.EPHEMERAL_KEY, data: this.#ephemeralKey },
      { id: SCENARIO3_DGI.SIGNATURE, data: signature },
    ]);
    return gpCommand(INS.STORE_DATA, 0x89, 0x01, data);
  }

  /**
   * The agreed keys, once the card's receipt verifies. From here on the provider owns the Security Domain,
   * whatever becomes of later steps.
   *
   * @throws SefleetError `GP_RECEIPT_INVALID`.
   */
  finish(response: Uint8Array): StaticKeys {
    const objects = decodeTlvs(response);
    const random = findTlv(objects, 0x85);
    const wanted = (this.#parameters.parameter & SCENARIO3_PARAMETER.DERIVATION_RANDOM) !== 0;
    const { receiptKey, keys } = deriveScenario3(
      this.#secret,
      this.#parameters,
      random,
      this.#issuerIdentification,
    );
    const receipt = scenario3Receipt(receiptKey, encodeScenario3Parameters(this.#parameters), random);
    if ((random !== undefined) !== wanted || !constantTimeEqual(receipt, requireTlv(objects, 0x86))) {
      throw globalPlatformError('GP_RECEIPT_INVALID', 'the key agreement receipt does not verify', {
        hint: 'The card does not hold the key of this certificate, or the exchange was changed on its way.',
      });
    }
    return keys;
  }
}

function byteOf(fields: readonly Tlv[], tag: number): number {
  const value = requireTlv(fields, tag);
  return value.length === 1 ? (value[0] ?? 0) : -1;
}
