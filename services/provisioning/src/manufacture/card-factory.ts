import { createHash } from 'node:crypto';
import {
  aidBytes,
  checkPutKeyResponse,
  encodeApdu,
  expectStatus,
  installForExtraditionCommand,
  openScp03Session,
  putKeysCommand,
  selectCommand,
  type CommandApdu,
  type SecureChannelSession,
  type StaticKeys,
} from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import {
  BOOTSTRAP_LOAD_FILE,
  BOOTSTRAP_MODULE,
  bootstrapPersonalisationCommands,
  createCard,
  decodeBootstrapFile,
  exportCard,
  FIRMWARE_AUTHORITY_KEY,
  IOT_SAFE_INSTANCE,
  IOT_SAFE_LOAD_FILE,
  IOT_SAFE_MODULE,
  IotSafeClient,
  iotSafePersonalisationCommands,
  ISSUER_SECURITY_DOMAIN,
  PKCS15_INSTANCE,
  recordAccountCommands,
  STANDARD_PROFILE,
  type SecureElement,
} from '@sefleet/secure-element';
import { newestVersion, type KeyCustody } from '../custody/key-custody.ts';
import { CARD_PLANS, IOT_SAFE_CONTAINER, type CardPlan, type DomainPlan } from '../domain/card-plan.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import { FIRST_GENERATION, keyVersionOf } from '../domain/key-versions.ts';
import { MEASURING_APPLETS, ownerCommands } from '../domain/measuring-plan.ts';
import {
  CONTROLLING_AUTHORITY,
  NETWORK_PROVIDER,
  TRUSTED_SERVICE_MANAGER,
  type PartyId,
} from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import {
  FIRST_DERIVATION_VERSION,
  FIRST_PSK_VERSION,
  FIRST_RECORD_KEY_VERSION,
  pskLabel,
  PSK_BYTES,
} from './first-keys.ts';
import { credentialCommands } from './credential-commands.ts';
import { installApplet, installDomain, OPEN_DOMAIN_PARAMETERS } from './install-commands.ts';
import {
  layOutManagement,
  personaliseAuthority,
  personaliseTsm,
  type CardIdentity,
} from './management-domains.ts';

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
/**
 * Under MACs only: inside the factory's walls the line is not listened to, and keys travel under the DEK
 * anyway.
 */
const FACTORY_LEVEL = 0x01;
/** Makes and personalises virtual cards, by the APDUs that a factory would send to real ones. */
export class CardFactory {
  readonly #custody: KeyCustody;
  readonly #rng: Rng;
  readonly #firmwareKey: Uint8Array;

  /** @param firmwareKey The public key that cards check firmware by, an uncompressed point. */
  constructor(custody: KeyCustody, rng: Rng, firmwareKey: Uint8Array) {
    this.#custody = custody;
    this.#rng = rng;
    this.#firmwareKey = firmwareKey;
  }

  /** Makes sure that every party has the first version of the keys that cards of `kind` need. */
  async prepare(kind: DeviceKind): Promise<void> {
    const plan = CARD_PLANS[kind];
    await this.#custody.vault(plan.issuer).ensureMaster('issuer-domain', FIRST_GENERATION);
    await this.#custody.vault(NETWORK_PROVIDER).ensureMaster('psk', FIRST_PSK_VERSION);
    for (const { party } of plan.domains) {
      await this.#custody.vault(party).ensureMaster('domain', FIRST_GENERATION);
      await this.#custody.vault(party).ensureMaster('record', FIRST_RECORD_KEY_VERSION);
      await this.#custody.vault(party).ensureMaster('psk', FIRST_PSK_VERSION);
    }
    await this.#custody.vault(plan.issuer).ensureMaster('receipt', FIRST_DERIVATION_VERSION);
    await this.#custody.vault(TRUSTED_SERVICE_MANAGER).ensureMaster('domain', FIRST_GENERATION);
    const authority = this.#custody.vault(CONTROLLING_AUTHORITY);
    await authority.ensureMaster('domain', FIRST_GENERATION);
    await authority.ensureMaster('agreement', FIRST_DERIVATION_VERSION);
  }

  /**
   * Makes the card of one device: Security Domains, applets, keys, and a key pair of its own.
   *
   * @param accountsFor gives the content of EF(LwM2M_Bootstrap) once the key pair is there; undefined: the
   *   card gets no such file
   */
  async make(
    endpoint: string,
    kind: DeviceKind,
    accountsFor: (devicePublicKey: Uint8Array) => Uint8Array | undefined,
  ): Promise<FinishedCard> {
    const plan = CARD_PLANS[kind];
    const identity = identityOf(endpoint);
    const { diversification } = identity;
    const issuerKeys = await this.#keysOf(plan.issuer, 'issuer-domain', identity);
    const card = createCard(
      STANDARD_PROFILE,
      {
        diversificationData: diversification,
        issuerIdentification: identity.issuerIdentification,
        cardImageNumber: identity.cardImageNumber,
        issuerKeys: { ...issuerKeys, version: keyVersionOf(FIRST_GENERATION) },
      },
      { rng: this.#rng },
    );
    await this.#layOut(card, plan, issuerKeys, endpoint, identity);
    const { tsm, authority } = plan.management;
    const atTsm = await this.#open(card, aidBytes(tsm), issuerKeys);
    await personaliseTsm(atTsm, (command) => send(atTsm, command), this.#custody, identity);
    const atAuthority = await this.#open(card, aidBytes(authority), issuerKeys);
    await personaliseAuthority(atAuthority, (command) => send(atAuthority, command), this.#custody, identity);
    const tsmKeys = await this.#keysOf(TRUSTED_SERVICE_MANAGER, 'domain', identity);
    for (const place of plan.domains) {
      const supplies = place.role === plan.supplier ? kind : undefined;
      await this.#personalise(card, place, tsmKeys, endpoint, identity, supplies);
    }
    const client = new IotSafeClient(card.transmit.bind(card));
    const deviceKey = Uint8Array.of(IOT_SAFE_CONTAINER.deviceKey);
    client.generateKeyPair(deviceKey);
    const devicePublicKey = client.subjectPublicKeyInfo(deviceKey);
    client.close();
    const accounts = accountsFor(devicePublicKey);
    if (accounts !== undefined) await this.#writeAccounts(card, issuerKeys, accounts);
    card.reset();
    return { diversification, image: exportCard(card), devicePublicKey };
  }

  /** The issuer's part: makes the Security Domains and applets and hands each applet to its domain. */
  async #layOut(
    card: SecureElement,
    plan: CardPlan,
    keys: StaticKeys,
    endpoint: string,
    identity: CardIdentity,
  ): Promise<void> {
    const session = await this.#open(card, aidBytes(ISSUER_SECURITY_DOMAIN), keys);
    await layOutManagement(session, (command) => send(session, command), this.#custody, plan, identity);
    const iotSafe = aidBytes(IOT_SAFE_INSTANCE);
    await send(session, installApplet(aidBytes(IOT_SAFE_LOAD_FILE), aidBytes(IOT_SAFE_MODULE), iotSafe));
    const { loadFile, module } = MEASURING_APPLETS[plan.kind];
    for (const place of plan.domains) {
      const domain = aidBytes(place.domain);
      const records = aidBytes(place.records);
      await send(session, installDomain(domain, 0, OPEN_DOMAIN_PARAMETERS));
      await send(session, installApplet(aidBytes(loadFile), aidBytes(module), records));
      await send(session, installForExtraditionCommand(domain, records));
      if (place.role === plan.supplier) {
        const credential = aidBytes(place.credential);
        await send(
          session,
          installApplet(aidBytes(IOT_SAFE_LOAD_FILE), aidBytes(IOT_SAFE_MODULE), credential),
        );
        await send(session, installForExtraditionCommand(domain, credential));
      }
      await send(session, installForExtraditionCommand(aidBytes(plan.management.tsm), domain));
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
      {
        kind: 'public-key',
        id: FIRMWARE_AUTHORITY_KEY,
        label: 'firmware authority',
        publicKey: this.#firmwareKey,
      },
    ]);
    for (const command of commands) await send(session, command);
  }

  /** Bootstrap from the smartcard: an application that only the issuer writes (LwM2M Core, appendix G). */
  async #writeAccounts(card: SecureElement, keys: StaticKeys, file: Uint8Array): Promise<void> {
    const session = await this.#open(card, aidBytes(ISSUER_SECURITY_DOMAIN), keys);
    const instance = aidBytes(PKCS15_INSTANCE);
    const [loadFile, module] = [aidBytes(BOOTSTRAP_LOAD_FILE), aidBytes(BOOTSTRAP_MODULE)];
    await send(session, installApplet(loadFile, module, instance));
    const objects = decodeBootstrapFile(file);
    for (const command of bootstrapPersonalisationCommands(instance, objects)) await send(session, command);
  }

  /**
   * A stakeholder's part: takes its fresh domain into possession, puts its record key there and gives its
   * applet its settings, all under its own keys.
   */
  async #personalise(
    card: SecureElement,
    place: DomainPlan,
    inheritedKeys: StaticKeys,
    endpoint: string,
    identity: CardIdentity,
    supplies: DeviceKind | undefined,
  ): Promise<void> {
    const vault = this.#custody.vault(place.party);
    const domain = aidBytes(place.domain);
    const keys = await this.#keysOf(place.party, 'domain', identity);
    const newVersion = keyVersionOf(FIRST_GENERATION);
    const inherited = await this.#open(card, domain, inheritedKeys);
    const answer = await expectStatus(inherited, putKeysCommand(inherited, keys, { newVersion }), 'PUT KEY');
    checkPutKeyResponse(answer.data, newVersion, [keys.enc, keys.mac, keys.dek]);
    const own = await this.#open(card, domain, keys);
    const keyVersion = (await newestVersion(vault, 'record')) ?? FIRST_RECORD_KEY_VERSION;
    const recordKey = await vault.recordKey(keyVersion, endpoint);
    const account = { stakeholder: place.party, keyVersion, endpoint, recordKey };
    const commands = recordAccountCommands(own, account);
    for (const command of commands) await send(own, command);
    if (supplies === undefined) return;
    for (const command of [
      ...(await credentialCommands(own, vault, place.credential, endpoint)),
      ...ownerCommands(supplies, aidBytes(place.records)),
    ]) {
      await send(own, command);
    }
  }

  #keysOf(party: PartyId, purpose: 'issuer-domain' | 'domain', card: CardIdentity): Promise<StaticKeys> {
    return this.#custody.vault(party).diversify(purpose, FIRST_GENERATION, card.diversification);
  }

  async #open(card: SecureElement, domainAid: Uint8Array, keys: StaticKeys): Promise<SecureChannelSession> {
    card.transmit(encodeApdu(selectCommand(domainAid)));
    const transmit = (apdu: Uint8Array): Uint8Array => card.transmit(apdu);
    return openScp03Session({ transmit, keys, level: FACTORY_LEVEL, rng: this.#rng, domainAid });
  }
}

/** Which card a device gets; its name decides, so that asking again cannot make another. */
export function identityOf(endpoint: string): CardIdentity {
  const digest = createHash('sha256').update(endpoint).digest();
  return {
    diversification: Uint8Array.from(digest.subarray(0, DIVERSIFICATION_BYTES)),
    issuerIdentification: ISSUER_IDENTIFICATION,
    cardImageNumber: Uint8Array.from(digest.subarray(-IMAGE_NUMBER_BYTES)),
  };
}

async function send(session: SecureChannelSession, command: CommandApdu): Promise<void> {
  const { sw } = await session.transmit(command);
  if (sw === 0x9000) return;
  throw provisioningError('PROVISIONING_CARD_REFUSED', `the card answers ${sw.toString(16)} in the factory`, {
    context: { sw, ins: command.ins, p1: command.p1 },
  });
}

function secret(id: number, label: string, value: Uint8Array) {
  return { kind: 'secret', id: Uint8Array.of(id), label, value } as const;
}
