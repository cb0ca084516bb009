import { generateKeyPairSync } from 'node:crypto';
import { concatBytes, fromHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  CERTIFICATE_USAGE,
  ecPoint,
  encodeCertificate,
  encodeSecurityDomainParameters,
  installCommand,
  installForExtraditionCommand,
  PRIVILEGE,
  putKeysCommand,
  putPrivateKeyCommand,
  putPublicKeyCommand,
  putSymmetricKeyCommand,
  storeDataCommands,
  withToken,
} from '@sefleet/globalplatform';
import { P256, publicKeyOf } from '../applets/iot-safe/curves.ts';
import { METERING_LOAD_FILE, METERING_MODULE } from '../applets/metering/identifiers.ts';
import { recordAccountCommands } from '../clients/record-account.ts';
import type { CutOverGrant, RecordAccountPlan } from '../clients/record-account.ts';
import type { CardPorts, SecureElement } from '../card/secure-element.ts';
import {
  installDomain,
  newCard,
  open,
  OPEN_DOMAIN,
  seededRng,
  send,
  sendAll,
  testKeys,
} from './card-fixture.ts';

/**
 * The domains of a supplier switch: the trusted service manager's, the suppliers', the controlling
 * authority's.
 */
export const TSM = aid('A0000001515350410A');
export const OLD_SUPPLIER = aid('A0000001515350410B');
export const NEW_SUPPLIER = aid('A0000001515350410C');
export const AUTHORITY = aid('A0000001515350410D');
export const METER_APPLET = aid('F07365666C65657401AA');
export const METER = 'urn:dev:sefleet:meter-000042';

/** Who holds which secret; no party has another's. */
export const PARTIES = {
  issuer: {
    tokenKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    receiptKey: testKeys('receipts').enc,
  },
  tsm: { keys: testKeys('tsm') },
  oldSupplier: { keys: testKeys('old supplier'), recordKey: testKeys('old records').enc },
  newSupplier: {
    signingKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    keys: testKeys('new supplier'),
    recordKey: testKeys('new records').enc,
  },
  authority: { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
} as const;

/** Issuer identification and image number of fixture cards. */
export const CARD_UNIQUE_DATA = concatBytes(fromHex('49440123'), fromHex('0000000000000001'));

/** The new supplier's certificate, by the controlling authority. */
export const NEW_SUPPLIER_CERTIFICATE = encodeCertificate(
  {
    serialNumber: fromHex('0102'),
    authority: fromHex('4341'),
    subject: Buffer.from('southern-power'),
    usage: CERTIFICATE_USAGE.DIGITAL_SIGNATURE,
    expiration: '20301231',
    publicKey: ecPoint(PARTIES.newSupplier.signingKey),
  },
  PARTIES.authority.key,
);

const AUTHORITY_DOMAIN_SCALAR = seededRng('authority domain').bytes(32);

/** The certificate of the card's authority domain: it names the card. */
const AUTHORITY_DOMAIN_CERTIFICATE = encodeCertificate(
  {
    serialNumber: fromHex('0101'),
    authority: fromHex('4341'),
    subject: CARD_UNIQUE_DATA,
    usage: CERTIFICATE_USAGE.KEY_AGREEMENT,
    expiration: '20301231',
    publicKey: publicKeyOf(P256, AUTHORITY_DOMAIN_SCALAR),
  },
  PARTIES.authority.key,
);

/**
 * A meter in the field: the old supplier has its domain and the metering applet; the new one has nothing yet.
 */
export async function meterInTheField(ports: Partial<CardPorts> = {}): Promise<SecureElement> {
  const card = newCard(ports);
  await prepareIssuer(card);
  await send(await open(card), installDomain(TSM, PRIVILEGE.DELEGATED_MANAGEMENT));
  const tsmFirst = await open(card, TSM);
  await send(tsmFirst, putKeysCommand(tsmFirst, PARTIES.tsm.keys, { newVersion: 0x31 }));
  await prepareAuthority(card);
  await prepareOldSupplier(card);
  card.reset();
  return card;
}

async function prepareIssuer(card: SecureElement): Promise<void> {
  const issuer = await open(card);
  const { tokenKey, receiptKey } = PARTIES.issuer;
  await send(issuer, putPublicKeyCommand({ point: ecPoint(tokenKey) }, { newVersion: 0x70, keyId: 1 }));
  await send(issuer, putSymmetricKeyCommand(issuer, receiptKey, { newVersion: 0x71, keyId: 1 }));
}

async function prepareAuthority(card: SecureElement): Promise<void> {
  const parameters = encodeSecurityDomainParameters({ controllingAuthority: fromHex('01') });
  await send(await open(card), installDomain(AUTHORITY, PRIVILEGE.GLOBAL_SERVICE, parameters));
  const session = await open(card, AUTHORITY);
  const root = ecPoint(PARTIES.authority.key);
  await send(session, putPublicKeyCommand({ point: root }, { newVersion: 0x74, keyId: 1 }));
  await send(session, putPrivateKeyCommand(session, AUTHORITY_DOMAIN_SCALAR, { newVersion: 0x74, keyId: 3 }));
  for (const command of storeDataCommands(AUTHORITY_DOMAIN_CERTIFICATE, { format: 'ber-tlv' })) {
    await send(session, command);
  }
  await send(session, putKeysCommand(session, testKeys('authority domain'), { newVersion: 1 }));
}

async function prepareOldSupplier(card: SecureElement): Promise<void> {
  const { tokenKey } = PARTIES.issuer;
  const tsm = await open(card, TSM, PARTIES.tsm.keys);
  await send(tsm, withToken(installDomain(OLD_SUPPLIER, 0, OPEN_DOMAIN), tokenKey));
  const applet = installCommand({
    loadFile: aidBytes(METERING_LOAD_FILE),
    module: aidBytes(METERING_MODULE),
    instance: aidBytes(METER_APPLET),
    privileges: 0,
    parameters: fromHex('c900'),
  });
  await send(tsm, withToken(applet, tokenKey));
  const toSupplier = installForExtraditionCommand(aidBytes(OLD_SUPPLIER), aidBytes(METER_APPLET));
  await send(tsm, withToken(toSupplier, tokenKey));
  const first = await open(card, OLD_SUPPLIER, PARTIES.tsm.keys);
  await send(first, putKeysCommand(first, PARTIES.oldSupplier.keys, { newVersion: 1 }));
  const supplier = await open(card, OLD_SUPPLIER, PARTIES.oldSupplier.keys);
  const owner = {
    stakeholder: 'northern-power',
    keyVersion: 1,
    endpoint: METER,
    recordKey: PARTIES.oldSupplier.recordKey,
  };
  await sendAll(supplier, recordAccountCommands(supplier, owner));
}

/** Everything that an order of the new supplier depends on. */
export const CUT_OVER = { instantMs: 2000, activation: testKeys('activation').enc } as const;

/** The new supplier's record account, granted to the metering applet for the instant. */
export function stagedAccount(grant: Partial<CutOverGrant> = {}): RecordAccountPlan {
  return {
    stakeholder: 'southern-power',
    keyVersion: 1,
    endpoint: METER,
    recordKey: PARTIES.newSupplier.recordKey,
    grant: { application: METER_APPLET, ...CUT_OVER, ...grant },
  };
}

/** A meter whose new supplier has its domain, its keys and its record account there, ahead of the instant. */
export async function meterBeforeCutOver(
  ports: Partial<CardPorts> = {},
  account: RecordAccountPlan = stagedAccount(),
): Promise<SecureElement> {
  const card = await meterInTheField(ports);
  const tsm = await open(card, TSM, PARTIES.tsm.keys);
  await send(tsm, withToken(installDomain(NEW_SUPPLIER), PARTIES.issuer.tokenKey));
  const first = await open(card, NEW_SUPPLIER, PARTIES.tsm.keys);
  await send(first, putKeysCommand(first, PARTIES.newSupplier.keys, { newVersion: 3 }));
  const session = await open(card, NEW_SUPPLIER, PARTIES.newSupplier.keys);
  await sendAll(session, recordAccountCommands(session, account));
  card.reset();
  return card;
}
