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
import type { Aid, SecureChannelSession, StaticKeys } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import {
  createCard,
  IOT_SAFE_INSTANCE,
  IOT_SAFE_LOAD_FILE,
  IOT_SAFE_MODULE,
  iotSafePersonalisationCommands,
  ISSUER_SECURITY_DOMAIN,
  METERING_LOAD_FILE,
  METERING_MODULE,
  recordAccountCommands,
  SECURITY_DOMAIN_LOAD_FILE,
  SECURITY_DOMAIN_MODULE,
  STANDARD_PROFILE,
} from '@sefleet/secure-element';
import type { SecureElement } from '@sefleet/secure-element';

export const STAKEHOLDERS: readonly Aid[] = ['01', '02', '03'].map((n) => aid(`A000000151535041${n}`));
export const SUPPLIER: Aid = aid('A00000015153504102');
export const METERING: Aid = aid('F07365666C656574010102');

const PARAMETERS = encodeSecurityDomainParameters({
  acceptExtraditionHere: Uint8Array.of(0x20, 0x20),
  acceptDeletion: Uint8Array.of(0x20),
  acceptExtraditionAway: Uint8Array.of(0x20, 0x20),
});

export function randomKeys(rng: Rng): StaticKeys {
  return { enc: rng.bytes(16), mac: rng.bytes(16), dek: rng.bytes(16) };
}

/** Selects `domain` and opens a session with it. */
export async function openDomain(
  card: SecureElement,
  domain: Aid,
  keys: StaticKeys,
  rng: Rng,
): Promise<SecureChannelSession> {
  await expectStatus(plainLink(card.transmit), selectCommand(aidBytes(domain)), 'SELECT');
  return await openScp03Session({ transmit: card.transmit, keys, rng, domainAid: aidBytes(domain) });
}

/**
 * A card as the fleet has them: three stakeholders' domains with keys, a metering applet and IoT SAFE with a
 * PSK.
 */
export async function manufacture(
  rng: Rng,
  issuerKeys: StaticKeys,
  keys: StaticKeys,
  endpoint: string,
): Promise<SecureElement> {
  const card = createCard(
    STANDARD_PROFILE,
    {
      diversificationData: rng.bytes(10),
      issuerIdentification: Uint8Array.of(0x49, 0x44, 0x01),
      cardImageNumber: rng.bytes(8),
      issuerKeys: { version: 0x30, ...issuerKeys },
    },
    { rng },
  );
  const issuer = await openDomain(card, ISSUER_SECURITY_DOMAIN, issuerKeys, rng);
  for (const domain of STAKEHOLDERS) {
    const install = installCommand({
      loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE),
      module: aidBytes(SECURITY_DOMAIN_MODULE),
      instance: aidBytes(domain),
      privileges: PRIVILEGE.SECURITY_DOMAIN,
      parameters: PARAMETERS,
    });
    await expectStatus(issuer, install, 'INSTALL');
  }
  await installApplet(issuer, METERING_LOAD_FILE, METERING_MODULE, METERING);
  await installApplet(issuer, IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE, IOT_SAFE_INSTANCE);
  for (const domain of STAKEHOLDERS) {
    const inherited = await openDomain(card, domain, issuerKeys, rng);
    await expectStatus(inherited, putKeysCommand(inherited, keys, { newVersion: 1 }), 'PUT KEY');
    if (domain === SUPPLIER) await personalise(await openDomain(card, domain, keys, rng), rng, endpoint);
  }
  card.reset();
  return card;
}

async function installApplet(
  issuer: SecureChannelSession,
  loadFile: Aid,
  module: Aid,
  instance: Aid,
): Promise<void> {
  const install = installCommand({
    loadFile: aidBytes(loadFile),
    module: aidBytes(module),
    instance: aidBytes(instance),
    privileges: 0,
    parameters: Uint8Array.of(0xc9, 0x00),
  });
  await expectStatus(issuer, install, 'INSTALL');
  const extradite = installForExtraditionCommand(aidBytes(SUPPLIER), aidBytes(instance));
  await expectStatus(issuer, extradite, 'INSTALL [for extradition]');
}

async function personalise(session: SecureChannelSession, rng: Rng, endpoint: string): Promise<void> {
  const owner = { stakeholder: 'northern-power', keyVersion: 1, endpoint, recordKey: rng.bytes(16) };
  const secret = { kind: 'secret', id: Uint8Array.of(1), label: 'lwm2m', value: rng.bytes(16) } as const;
  for (const command of [
    ...recordAccountCommands(session, owner),
    ...iotSafePersonalisationCommands(session, aidBytes(IOT_SAFE_INSTANCE), [secret]),
  ]) {
    await expectStatus(session, command, 'personalisation');
  }
}
