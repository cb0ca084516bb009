import { createHash } from 'node:crypto';
import {
  aidBytes,
  checkPutKeyResponse,
  encodeApdu,
  encodeSecurityDomainParameters,
  expectStatus,
  installCommand,
  installForExtraditionCommand,
  openScp03Session,
  PRIVILEGE,
  putKeysCommand,
  selectCommand,
  type CommandApdu,
  type SecureChannelSession,
  type StaticKeys,
} from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import {
  createCard,
  exportCard,
  IOT_SAFE_INSTANCE,
  IOT_SAFE_LOAD_FILE,
  IOT_SAFE_MODULE,
  IotSafeClient,
  iotSafePersonalisationCommands,
  ISSUER_SECURITY_DOMAIN,
  RECORDS_LOAD_FILE,
  RECORDS_MODULE,
  recordsPersonalisationCommands,
  SECURITY_DOMAIN_LOAD_FILE,
  SECURITY_DOMAIN_MODULE,
  STANDARD_PROFILE,
  type SecureElement,
} from '@sefleet/secure-element';
import type { KeyCustody } from '../custody/key-custody.ts';
import { CARD_PLANS, IOT_SAFE_CONTAINER, type CardPlan, type DomainPlan } from '../domain/card-plan.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import { FIRST_GENERATION, keyVersionOf } from '../domain/key-versions.ts';
import { NETWORK_PROVIDER } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import { FIRST_PSK_VERSION, FIRST_RECORD_KEY_VERSION, pskLabel, PSK_BYTES } from './first-keys.ts';

/** A card that the factory has made. */
export interface FinishedCard {
  readonly diversification: Uint8Array;
  readonly image: Uint8Array;
  /** Of the key pair that the card made, SubjectPublicKeyInfo (DER). */
  readonly devicePublicKey: Uint8Array;
}

const DIVERSIFICATION_BYTES = 10;
const IMAGE_NUMBER_BYTES = 8;
const ISSUER_IDENTIFICATION = Uint8Array.of(0x53, 0x46, 0x4c, 0x54);
/** Under MACs only: inside the factory's walls the line is not listened to, and keys travel under the DEK anyway. */
const FACTORY_LEVEL = 0x01;
/** Accepts applications from and to Security Domains of other owners, and its deletion (GP UICC configuration §4). */
const OPEN_TO_OTHERS = Uint8Array.of(0x20, 0x20);
const SECURITY_DOMAIN_PARAMETERS = encodeSecurityDomainParameters({
  secureChannel: { protocol: 0x03, i: 0x70 },
  acceptExtraditionHere: OPEN_TO_OTHERS,
  acceptDeletion: Uint8Array.of(0x20),
  acceptExtraditionAway: OPEN_TO_OTHERS,
});
/** Install parameters without any: an empty C9 (GPCS 2.3.1 §11.5.2.3.7). */
const NO_PARAMETERS = Uint8Array.of(0xc9, 0x00);

/** Makes and personalises virtual cards, by the APDUs that a factory would send to real ones. */
export class CardFactory {
  readonly #custody: KeyCustody;
  readonly #rng: Rng;

  constructor(custody: KeyCustody, rng: Rng) {
    this.#custody = custody;
    this.#rng = rng;
  }

  /** Makes sure that every party has the first version of the keys that cards of `kind` need. */
  async prepare(kind: DeviceKind): Promise<void> {
    const plan = CARD_PLANS[kind];
    await this.#custody.vault(plan.issuer).ensureMaster('issuer-domain', FIRST_GENERATION);
    await this.#custody.vault(NETWORK_PROVIDER).ensureMaster('psk', FIRST_PSK_VERSION);
    for (const { party } of plan.domains) {
      await this.#custody.vault(party).ensureMaster('domain', FIRST_GENERATION);
      await this.#custody.vault(party).ensureMaster('record', FIRST_RECORD_KEY_VERSION);
    }
  }

  /** Makes the card of one device: Security Domains, applets, keys, and a key pair of its own. */
  async make(endpoint: string, kind: DeviceKind): Promise<FinishedCard> {
    const plan = CARD_PLANS[kind];
    const digest = createHash('sha256').update(endpoint).digest();
    const diversification = Uint8Array.from(digest.subarray(0, DIVERSIFICATION_BYTES));
    const issuer = this.#custody.vault(plan.issuer);
    const issuerKeys = await issuer.diversify('issuer-domain', FIRST_GENERATION, diversification);
    const card = createCard(
      STANDARD_PROFILE,
      {
        diversificationData: diversification,
        issuerIdentification: ISSUER_IDENTIFICATION,
        cardImageNumber: Uint8Array.from(digest.subarray(-IMAGE_NUMBER_BYTES)),
        issuerKeys: { ...issuerKeys, version: keyVersionOf(FIRST_GENERATION) },
      },
      { rng: this.#rng },
    );
    await this.#layOut(card, plan, issuerKeys, endpoint);
    for (const place of plan.domains)
      await this.#personalise(card, place, issuerKeys, endpoint, diversification);
    const client = new IotSafeClient(card.transmit.bind(card));
    const deviceKey = Uint8Array.of(IOT_SAFE_CONTAINER.deviceKey);
    client.generateKeyPair(deviceKey);
    const devicePublicKey = client.subjectPublicKeyInfo(deviceKey);
    client.close();
    card.reset();
    return { diversification, image: exportCard(card), devicePublicKey };
  }

  /** The issuer's part: makes the Security Domains and applets and hands each applet to its domain. */
  async #layOut(card: SecureElement, plan: CardPlan, keys: StaticKeys, endpoint: string): Promise<void> {
    const session = await this.#open(card, aidBytes(ISSUER_SECURITY_DOMAIN), keys);
    const iotSafe = aidBytes(IOT_SAFE_INSTANCE);
    await send(session, installApplet(aidBytes(IOT_SAFE_LOAD_FILE), aidBytes(IOT_SAFE_MODULE), iotSafe));
    for (const place of plan.domains) {
      const domain = aidBytes(place.domain);
      const records = aidBytes(place.records);
      await send(session, installDomain(domain));
      await send(session, installApplet(aidBytes(RECORDS_LOAD_FILE), aidBytes(RECORDS_MODULE), records));
      await send(session, installForExtraditionCommand(domain, records));
    }
    const network = this.#custody.vault(NETWORK_PROVIDER);
    const psk = (purpose: 'bootstrap' | 'management'): Promise<Uint8Array> =>
      network.derive('psk', FIRST_PSK_VERSION, pskLabel(endpoint, purpose), PSK_BYTES);
    const commands = iotSafePersonalisationCommands(session, iotSafe, [
      secret(IOT_SAFE_CONTAINER.bootstrapPsk, 'bootstrap PSK', await psk('bootstrap')),
      secret(IOT_SAFE_CONTAINER.managementPsk, 'management PSK', await psk('management')),
      {
        kind: 'key-pair',
        privateId: Uint8Array.of(IOT_SAFE_CONTAINER.deviceKey),
        publicId: Uint8Array.of(IOT_SAFE_CONTAINER.deviceKey),
        label: 'device key',
      },
    ]);
    for (const command of commands) await send(session, command);
  }

  /** A stakeholder's part: takes its fresh domain into possession and personalises its applet under its own keys. */
  async #personalise(
    card: SecureElement,
    place: DomainPlan,
    issuerKeys: StaticKeys,
    endpoint: string,
    diversification: Uint8Array,
  ): Promise<void> {
    const vault = this.#custody.vault(place.party);
    const domain = aidBytes(place.domain);
    const keys = await vault.diversify('domain', FIRST_GENERATION, diversification);
    const newVersion = keyVersionOf(FIRST_GENERATION);
    const inherited = await this.#open(card, domain, issuerKeys);
    const answer = await expectStatus(inherited, putKeysCommand(inherited, keys, { newVersion }), 'PUT KEY');
    checkPutKeyResponse(answer.data, newVersion, [keys.enc, keys.mac, keys.dek]);
    const own = await this.#open(card, domain, keys);
    const commands = recordsPersonalisationCommands(own, aidBytes(place.records), {
      stakeholder: place.party,
      keyVersion: FIRST_RECORD_KEY_VERSION,
      endpoint,
      recordKey: await vault.recordKey(FIRST_RECORD_KEY_VERSION, endpoint),
    });
    for (const command of commands) await send(own, command);
  }

  async #open(card: SecureElement, domainAid: Uint8Array, keys: StaticKeys): Promise<SecureChannelSession> {
    card.transmit(encodeApdu(selectCommand(domainAid)));
    const transmit = (apdu: Uint8Array): Uint8Array => card.transmit(apdu);
    return openScp03Session({ transmit, keys, level: FACTORY_LEVEL, rng: this.#rng, domainAid });
  }
}

async function send(session: SecureChannelSession, command: CommandApdu): Promise<void> {
  const { sw } = await session.transmit(command);
  if (sw === 0x9000) return;
  throw provisioningError('PROVISIONING_CARD_REFUSED', `the card answers ${sw.toString(16)} in the factory`, {
    context: { sw, ins: command.ins, p1: command.p1 },
  });
}

function installDomain(instance: Uint8Array): CommandApdu {
  return installCommand({
    loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE),
    module: aidBytes(SECURITY_DOMAIN_MODULE),
    instance,
    privileges: PRIVILEGE.SECURITY_DOMAIN,
    parameters: SECURITY_DOMAIN_PARAMETERS,
  });
}

function installApplet(loadFile: Uint8Array, module: Uint8Array, instance: Uint8Array): CommandApdu {
  return installCommand({ loadFile, module, instance, privileges: 0, parameters: NO_PARAMETERS });
}

function secret(id: number, label: string, value: Uint8Array) {
  return { kind: 'secret', id: Uint8Array.of(id), label, value } as const;
}
