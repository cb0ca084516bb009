import { createHash } from 'node:crypto';
import { fromHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  encodeSecurityDomainParameters,
  expectStatus,
  installCommand,
  installForExtraditionCommand,
  openScp03Session,
  plainLink,
  PRIVILEGE,
  putKeysCommand,
  selectCommand,
} from '@sefleet/globalplatform';
import type { Aid, CardLink, SecurityLevel, StaticKeys } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { createCard } from '../card/create-card.ts';
import type { CardPorts, SecureElement } from '../card/secure-element.ts';
import {
  ISSUER_SECURITY_DOMAIN,
  SECURITY_DOMAIN_LOAD_FILE,
  SECURITY_DOMAIN_MODULE,
  STANDARD_PROFILE,
} from '../profiles/standard-profile.ts';
import type { CardProfile } from '../profiles/card-profile.ts';

/** Numbers that look random and are the same in every run. */
export function seededRng(seed: string): Rng {
  let counter = 0;
  const next = (): Uint8Array => createHash('sha256').update(`${seed}/${counter++}`).digest();
  return {
    bytes: (length) => {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += 32) out.set(next().subarray(0, length - at), at);
      return out;
    },
    fraction: () => (next()[0] ?? 0) / 256,
  };
}

/** Three different keys made from a name. */
export function testKeys(name: string, length = 16): StaticKeys {
  const key = (part: string): Uint8Array =>
    Uint8Array.from(createHash('sha256').update(`${name}/${part}`).digest().subarray(0, length));
  return { enc: key('enc'), mac: key('mac'), dek: key('dek') };
}

/** The issuer keys of fixture cards. */
export const ISSUER_KEYS = testKeys('issuer');
const ISSUER_VERSION = 0x30;
/** Rights of a Security Domain to be extradited to and from, and deleted. */
export const OPEN_DOMAIN = encodeSecurityDomainParameters({
  acceptExtraditionHere: fromHex('2020'),
  acceptDeletion: fromHex('20'),
  acceptExtraditionAway: fromHex('2020'),
});

/** A card from the factory. */
export function newCard(
  ports: Partial<CardPorts> = {},
  profile: CardProfile = STANDARD_PROFILE,
): SecureElement {
  return createCard(
    profile,
    {
      diversificationData: fromHex('00010203040506070809'),
      issuerIdentification: fromHex('49440123'),
      cardImageNumber: fromHex('0000000000000001'),
      issuerKeys: { version: ISSUER_VERSION, ...ISSUER_KEYS },
    },
    { rng: seededRng('card'), ...ports },
  );
}

/** All that a host needs of a card. */
export type CardDoor = Pick<SecureElement, 'transmit'>;

/** SELECT; the response must be 9000. */
export async function select(card: CardDoor, application: Aid): Promise<Uint8Array> {
  const link: CardLink = plainLink(card.transmit);
  return (await expectStatus(link, selectCommand(aidBytes(application)), 'SELECT')).data;
}

/** A session with a Security Domain, which it selects. */
export async function open(
  card: CardDoor,
  domain: Aid = ISSUER_SECURITY_DOMAIN,
  keys: StaticKeys = ISSUER_KEYS,
  options: {
    readonly keyVersion?: number;
    readonly level?: SecurityLevel;
    readonly challengeLength?: 8 | 16;
  } = {},
) {
  await select(card, domain);
  return await openScp03Session({
    transmit: card.transmit,
    keys,
    rng: seededRng('host'),
    domainAid: aidBytes(domain),
    ...options,
  });
}

/** Makes a supplementary Security Domain under the issuer's and gives it keys of version 1 of its own. */
export async function makeDomain(
  card: SecureElement,
  domain: Aid,
  keys: StaticKeys,
  privileges = 0,
): Promise<void> {
  await send(await open(card), installDomain(domain, privileges));
  const inherited = await open(card, domain);
  await send(inherited, putKeysCommand(inherited, keys, { newVersion: 1 }));
}

/**
 * INSTALL [for install and make selectable] of a Security Domain that is open to extradition and deletion.
 */
export function installDomain(domain: Aid, privileges = 0, parameters = OPEN_DOMAIN) {
  return installCommand({
    loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE),
    module: aidBytes(SECURITY_DOMAIN_MODULE),
    instance: aidBytes(domain),
    privileges: PRIVILEGE.SECURITY_DOMAIN | privileges,
    parameters,
  });
}

/** What an applet is made from. */
export interface AppletPlace {
  readonly loadFile: Aid;
  readonly module: Aid;
  readonly instance: Aid;
}

/** A card with an applet in the domain of {@link SUPPLIER}, who has `keys`. */
export async function cardWithApplet(
  { loadFile, module, instance }: AppletPlace,
  keys: StaticKeys,
): Promise<SecureElement> {
  const card = newCard();
  await makeDomain(card, SUPPLIER, keys);
  const issuer = await open(card);
  const command = installCommand({
    loadFile: aidBytes(loadFile),
    module: aidBytes(module),
    instance: aidBytes(instance),
    privileges: 0,
    parameters: fromHex('c900'),
  });
  await send(issuer, command);
  await send(issuer, installForExtraditionCommand(aidBytes(SUPPLIER), aidBytes(instance)));
  return card;
}

/** Sends commands; each answer must be 9000. */
export async function sendAll(
  link: CardLink,
  commands: readonly Parameters<CardLink['transmit']>[0][],
): Promise<void> {
  for (const command of commands) await send(link, command);
}

/** Sends a command; the answer must be 9000. */
export async function send(
  link: CardLink,
  command: Parameters<CardLink['transmit']>[0],
): Promise<Uint8Array> {
  const name = `command ${command.ins.toString(16)}`;
  return (await expectStatus(link, command, name)).data;
}

/** The status word of a command. */
export async function statusOf(
  link: CardLink,
  command: Parameters<CardLink['transmit']>[0],
): Promise<string> {
  return (await link.transmit(command)).sw.toString(16).padStart(4, '0');
}

/** Stakeholders of the tests. */
export const SUPPLIER = aid('A00000015153504101');
/** The one that takes over. */
export const OTHER_SUPPLIER = aid('A00000015153504102');
