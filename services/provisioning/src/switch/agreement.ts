import { createECDH } from 'node:crypto';
import { constantTimeEqual, fromHex } from '@sefleet/bytes';
import {
  CERTIFICATE_USAGE,
  decodeCertificate,
  decodeTlvs,
  deriveScenario3,
  encodeDgis,
  encodeEphemeralKey,
  encodeScenario3Parameters,
  findTlv,
  gpCommand,
  INS,
  SCENARIO3_DGI,
  scenario3Receipt,
  scenario3Signed,
  type AgreedKeys,
  type CommandApdu,
  type Scenario3Parameters,
} from '@sefleet/globalplatform';
import type { KeyCustody, PartyVault } from '../custody/key-custody.ts';
import { CONTROLLING_AUTHORITY, findParty, type PartyId } from '../domain/party.ts';
import { signingPoint } from '../manufacture/management-domains.ts';

/** The key version that an agreement gives its keys; the owner replaces them at once. */
export const AGREED_KEY_VERSION = 0x3f;

/** No derivation random: the provider can compute the keys even when the card's answer never arrives. */
const PARAMETERS: Scenario3Parameters = {
  parameter: 0,
  keyVersion: AGREED_KEY_VERSION,
  keyId: 1,
  keyLength: 16,
};
const AUTHORITY_IDENTIFIER = Buffer.from('SEFLCA');
const EXPIRATION = '20491231';
const STORE_DATA_LAST_DGI_WITH_RESPONSE = 0x89;

/**
 * The new supplier's part of key agreement scenario #3, with its signing key in its vault. The ephemeral key
 * is kept there too until the agreed keys have been replaced: whatever happens to an answer, the supplier can
 * find out whether the card has agreed.
 */
export class SupplierAgreement {
  readonly #vault: PartyVault;
  readonly #ephemeralPoint: Uint8Array;
  readonly #agreed: AgreedKeys;

  /** @param cardCertificate The verified certificate of the card's authority domain, hexadecimal. */
  constructor(vault: PartyVault, scalar: Uint8Array, cardCertificate: string) {
    const ecdh = createECDH('prime256v1');
    ecdh.setPrivateKey(scalar);
    this.#vault = vault;
    this.#ephemeralPoint = ecdh.getPublicKey();
    const { publicKey } = decodeCertificate(fromHex(cardCertificate));
    this.#agreed = deriveScenario3(ecdh.computeSecret(publicKey), PARAMETERS, undefined);
  }

  /** The keys of the domain, once the card has agreed. */
  get keys(): AgreedKeys['keys'] {
    return this.#agreed.keys;
  }

  /** Second command: parameters, ephemeral key, and the signature over both and the card's challenge. */
  async command(challenge: Uint8Array): Promise<CommandApdu> {
    const template = encodeScenario3Parameters(PARAMETERS);
    const ephemeral = encodeEphemeralKey(this.#ephemeralPoint);
    const signature = await this.#vault.sign(scenario3Signed(template, ephemeral, challenge));
    const data = encodeDgis([
      { id: SCENARIO3_DGI.PARAMETERS, data: template },
      { id: SCENARIO3_DGI.EPHEMERAL_KEY, data: ephemeral },
      { id: SCENARIO3_DGI.SIGNATURE, data: signature },
    ]);
    return gpCommand(INS.STORE_DATA, STORE_DATA_LAST_DGI_WITH_RESPONSE, 1, data);
  }

  /** True when the card's receipt proves that it has the same keys. */
  verifies(response: Uint8Array): boolean {
    const receipt = findTlv(decodeTlvs(response), 0x86);
    const expected = scenario3Receipt(
      this.#agreed.receiptKey,
      encodeScenario3Parameters(PARAMETERS),
      undefined,
    );
    return receipt !== undefined && constantTimeEqual(receipt, expected);
  }
}

/** Who issues a certificate, and when it ends (`YYYYMMDD`). */
interface CertificateTerms {
  readonly authority?: PartyId;
  readonly expiration?: string;
}

/** The serial number of the certificate with which a party presents itself to cards. */
export function supplierSerialNumber(party: PartyId): Uint8Array {
  return Uint8Array.of(findParty(party)?.number ?? 0, 0x01);
}

/** The certificate with which `party` presents itself to cards, issued by `authority`. */
export async function issueSupplierCertificate(
  custody: KeyCustody,
  party: PartyId,
  { authority = CONTROLLING_AUTHORITY, expiration = EXPIRATION }: CertificateTerms = {},
): Promise<Uint8Array> {
  return custody.vault(authority).certify({
    serialNumber: supplierSerialNumber(party),
    authority: AUTHORITY_IDENTIFIER,
    subject: Buffer.from(party).subarray(0, 16),
    usage: CERTIFICATE_USAGE.DIGITAL_SIGNATURE,
    expiration,
    publicKey: await signingPoint(custody, party),
  });
}
