import { createECDH } from 'node:crypto';
import { concatBytes } from '@sefleet/bytes';
import {
  aidBytes,
  CERTIFICATE_USAGE,
  encodeSecurityDomainParameters,
  PRIVILEGE,
  putKeysCommand,
  putPrivateKeyCommand,
  putPublicKeyCommand,
  putSymmetricKeyCommand,
  storeDataCommands,
  type CommandApdu,
  type SecureChannelSession,
} from '@sefleet/globalplatform';
import type { KeyCustody } from '../custody/key-custody.ts';
import type { CardPlan } from '../domain/card-plan.ts';
import { FIRST_GENERATION, keyVersionOf } from '../domain/key-versions.ts';
import { CONTROLLING_AUTHORITY, TRUSTED_SERVICE_MANAGER } from '../domain/party.ts';
import { CARD_SCALAR_BYTES, cardLabel, FIRST_DERIVATION_VERSION, RECEIPT_KEY_BYTES } from './first-keys.ts';
import { installDomain, OPEN_DOMAIN_PARAMETERS } from './install-commands.ts';

/** Which card it is, as certificates and receipts name it. */
export interface CardIdentity {
  readonly issuerIdentification: Uint8Array;
  readonly cardImageNumber: Uint8Array;
  readonly diversification: Uint8Array;
}

/** Versions and identifiers of GlobalPlatform's special keys (GPCS 2.3.1 §H.4; GP UICC configuration). */
const TOKEN_KEY = { newVersion: 0x70, keyId: 1 } as const;
const RECEIPT_KEY = { newVersion: 0x71, keyId: 1 } as const;
/** The Controlling Authority's root in its domain on every card. */
export const AUTHORITY_ROOT = { newVersion: 0x74, keyId: 1 } as const;
const AUTHORITY_AGREEMENT = { newVersion: 0x74, keyId: 3 } as const;
const AUTHORITY_IDENTIFIER = Buffer.from('SEFLCA');
const EXPIRATION = '20491231';
const SERIAL_BYTES = 8;
const POINT_BYTES = 65;
const AUTHORITY_PARAMETERS = encodeSecurityDomainParameters({ controllingAuthority: Uint8Array.of(0x01) });

/** Issuer identification and card image number, joined (GPCS 2.3.1 §11.1.6). */
export function cardUniqueData(card: CardIdentity): Uint8Array {
  return concatBytes(card.issuerIdentification, card.cardImageNumber);
}

/** The uncompressed point of a party's signing key. */
export async function signingPoint(custody: KeyCustody, party: CardPlan['issuer']): Promise<Uint8Array> {
  return (await custody.vault(party).signingPublicKey()).slice(-POINT_BYTES);
}

/**
 * What the issuer does for delegated management: its token key, its receipt key, and both management domains.
 */
export async function layOutManagement(
  session: SecureChannelSession,
  send: (command: CommandApdu) => Promise<void>,
  custody: KeyCustody,
  plan: CardPlan,
  card: CardIdentity,
): Promise<void> {
  const point = await signingPoint(custody, plan.issuer);
  const label = cardLabel(card.diversification);
  const receiptKey = await custody
    .vault(plan.issuer)
    .derive('receipt', FIRST_DERIVATION_VERSION, label, RECEIPT_KEY_BYTES);
  const { tsm, authority } = plan.management;
  await send(putPublicKeyCommand({ point }, TOKEN_KEY));
  await send(putSymmetricKeyCommand(session, receiptKey, RECEIPT_KEY));
  await send(installDomain(aidBytes(tsm), PRIVILEGE.DELEGATED_MANAGEMENT, OPEN_DOMAIN_PARAMETERS));
  await send(installDomain(aidBytes(authority), PRIVILEGE.GLOBAL_SERVICE, AUTHORITY_PARAMETERS));
}

/** The trusted service manager takes its domain into possession. `session` is open with inherited keys. */
export async function personaliseTsm(
  session: SecureChannelSession,
  send: (command: CommandApdu) => Promise<void>,
  custody: KeyCustody,
  card: CardIdentity,
): Promise<void> {
  const vault = custody.vault(TRUSTED_SERVICE_MANAGER);
  const keys = await vault.diversify('domain', FIRST_GENERATION, card.diversification);
  await send(putKeysCommand(session, keys, { newVersion: keyVersionOf(FIRST_GENERATION) }));
}

/**
 * The Controlling Authority personalises its domain: its root, the card's agreement key and certificate, its
 * own keys.
 */
export async function personaliseAuthority(
  session: SecureChannelSession,
  send: (command: CommandApdu) => Promise<void>,
  custody: KeyCustody,
  card: CardIdentity,
): Promise<void> {
  const vault = custody.vault(CONTROLLING_AUTHORITY);
  const label = cardLabel(card.diversification);
  const scalar = await vault.derive('agreement', FIRST_DERIVATION_VERSION, label, CARD_SCALAR_BYTES);
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  const certificate = await vault.certify({
    serialNumber: card.cardImageNumber.subarray(0, SERIAL_BYTES),
    authority: AUTHORITY_IDENTIFIER,
    subject: cardUniqueData(card),
    usage: CERTIFICATE_USAGE.KEY_AGREEMENT,
    expiration: EXPIRATION,
    publicKey: ecdh.getPublicKey(),
  });
  const root = await signingPoint(custody, CONTROLLING_AUTHORITY);
  await send(putPublicKeyCommand({ point: root }, AUTHORITY_ROOT));
  await send(putPrivateKeyCommand(session, scalar, AUTHORITY_AGREEMENT));
  for (const command of storeDataCommands(certificate, { format: 'ber-tlv' })) await send(command);
  const keys = await vault.diversify('domain', FIRST_GENERATION, card.diversification);
  await send(putKeysCommand(session, keys, { newVersion: keyVersionOf(FIRST_GENERATION) }));
}
