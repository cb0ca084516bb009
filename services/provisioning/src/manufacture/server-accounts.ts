import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import {
  encodeBootstrapFile,
  Lwm2mPath,
  OBJECT_ID,
  omaModels,
  SECURITY_MODE,
  SECURITY_RESOURCE,
  type Lwm2mEntry,
} from '@sefleet/lwm2m';
import {
  accountWrites,
  cardKeyReference,
  stakeholderIdentity,
  type ServerAccountConfiguration,
} from '@sefleet/lwm2m-coap';
import { CARD_PLANS, IOT_SAFE_CONTAINER, place, STAKEHOLDER_PSK_CONTAINER } from '../domain/card-plan.ts';
import { CREDENTIALS_OF, type Connectivity, type Transport } from '../domain/connectivity.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import { findParty, type PartyId } from '../domain/party.ts';
import { pskIdentity } from '../domain/psk-identity.ts';
import type { StakeholderServers } from '../domain/stakeholder-servers.ts';
import { provisioningError } from '../errors.ts';

/** Where the servers are, and what devices need to know of them. */
export interface ServerFacts {
  readonly bootstrapUri: string;
  /** `coaps`; the same address with TLS is derived from it. */
  readonly lwm2mUri: string;
  /** `coap`, for devices without security; empty when it is not offered. */
  readonly plainUri: string;
  readonly lifetimeSeconds: number;
  /** Certificate of the authority that the management server's comes from, DER. */
  readonly authority: Uint8Array;
  /** PEM file with the management server's certificate, for devices that know its key by heart. */
  readonly serverCertificateFile: string;
}

/** A device, as far as its accounts are concerned. */
export interface AccountHolder {
  readonly endpoint: string;
  readonly connectivity: Connectivity;
  /** DER. */
  readonly certificate: Uint8Array;
}

const SHORT_SERVER_ID = 1;
/** A party's number on top makes the short id of its server; party numbers begin above the other instances. */
const STAKEHOLDER_SHORT_IDS = 100;
const BOOTSTRAP_INSTANCE = 0;
const SECURITY_INSTANCE = 1;
const SERVER_INSTANCE = 0;
/** Resource 15 of Security: a certificate of the server's own, below this anchor (Core appendix E.1). */
const TRUST_ANCHOR = 2;
const NOTHING = new Uint8Array(0);

/** The LwM2M accounts of devices whose keys are in a card of ours. */
export class ServerAccounts {
  readonly facts: ServerFacts;
  readonly #stakeholderServers: StakeholderServers;

  constructor(facts: ServerFacts, stakeholderServers: StakeholderServers = new Map()) {
    this.facts = facts;
    this.#stakeholderServers = stakeholderServers;
  }

  /**
   * Makes sure that there can be an account of this kind.
   *
   * @throws SefleetError `PROVISIONING_REQUEST_INVALID`, `PROVISIONING_SERVER_CERTIFICATE_MISSING`
   */
  check({ transport, credential }: Connectivity): void {
    if (!CREDENTIALS_OF[transport].includes(credential)) {
      throw provisioningError(
        'PROVISIONING_REQUEST_INVALID',
        `no ${transport} with credential ${credential}`,
        {
          hint: `With ${transport}: ${CREDENTIALS_OF[transport].join(', ')}.`,
        },
      );
    }
    this.#uriOf(transport);
    if (credential === 'rpk') this.#serverKey();
  }

  /** The account of the management server. @throws SefleetError as `check` */
  management({ endpoint, connectivity, certificate }: AccountHolder): ServerAccountConfiguration {
    const { transport, queueMode } = connectivity;
    const binding = transport.endsWith('+tcp') ? 'T' : 'U';
    return {
      securityInstance: SECURITY_INSTANCE,
      serverInstance: SERVER_INSTANCE,
      shortServerId: SHORT_SERVER_ID,
      uri: this.#uriOf(transport),
      security: this.#security(endpoint, connectivity, certificate),
      lifetimeSeconds: this.facts.lifetimeSeconds,
      binding: queueMode ? `${binding}Q` : binding,
      notificationStoring: true,
    };
  }

  /** The account on a stakeholder's own server, if it has one; its key lies in the stakeholder's domain. */
  stakeholder(endpoint: string, kind: DeviceKind, party: PartyId): ServerAccountConfiguration | undefined {
    const server = this.#stakeholderServers.get(party);
    const number = findParty(party)?.number;
    if (server === undefined || number === undefined) return undefined;
    const { supplier } = CARD_PLANS[kind];
    const application = place(kind, supplier, party).credential;
    return {
      securityInstance: number,
      serverInstance: number,
      shortServerId: STAKEHOLDER_SHORT_IDS + number,
      uri: server.uri,
      security: {
        mode: 'psk',
        identity: stakeholderIdentity(party, endpoint),
        key: cardKeyReference({ container: STAKEHOLDER_PSK_CONTAINER, application }),
      },
      lifetimeSeconds: this.facts.lifetimeSeconds,
      binding: 'U',
      notificationStoring: true,
    };
  }

  /**
   * EF(LwM2M_Bootstrap) of a device (Core appendix G): the account of the bootstrap server, to come back to,
   * and that of the management server.
   */
  bootstrapFile(holder: AccountHolder): Uint8Array {
    const writes = accountWrites(this.management(holder));
    const of = (objectId: number): readonly Lwm2mEntry[] =>
      writes.filter(({ path }) => path.objectId === objectId).flatMap(({ entries }) => entries);
    const security = [...this.#bootstrapAccount(holder.endpoint), ...of(OBJECT_ID.SECURITY)];
    return encodeBootstrapFile(
      [
        { objectId: OBJECT_ID.SECURITY, entries: security },
        { objectId: OBJECT_ID.SERVER, entries: of(OBJECT_ID.SERVER) },
      ],
      omaModels(),
    );
  }

  #bootstrapAccount(endpoint: string): readonly Lwm2mEntry[] {
    const path = new Lwm2mPath(OBJECT_ID.SECURITY, BOOTSTRAP_INSTANCE);
    const identity = new TextEncoder().encode(pskIdentity(endpoint, 'bootstrap'));
    return [
      { path: path.child(SECURITY_RESOURCE.SERVER_URI), value: this.facts.bootstrapUri },
      { path: path.child(SECURITY_RESOURCE.BOOTSTRAP_SERVER), value: true },
      { path: path.child(SECURITY_RESOURCE.SECURITY_MODE), value: SECURITY_MODE.PSK },
      { path: path.child(SECURITY_RESOURCE.PUBLIC_KEY_OR_IDENTITY), value: identity },
      { path: path.child(SECURITY_RESOURCE.SERVER_PUBLIC_KEY), value: NOTHING },
      {
        path: path.child(SECURITY_RESOURCE.SECRET_KEY),
        value: cardReference(IOT_SAFE_CONTAINER.bootstrapPsk),
      },
    ];
  }

  #security(
    endpoint: string,
    { credential }: Connectivity,
    certificate: Uint8Array,
  ): ServerAccountConfiguration['security'] {
    const secretKey = cardReference(IOT_SAFE_CONTAINER.deviceKey);
    switch (credential) {
      case 'psk':
        return {
          mode: 'psk',
          identity: pskIdentity(endpoint, 'management'),
          key: cardReference(IOT_SAFE_CONTAINER.managementPsk),
        };
      case 'rpk':
        return {
          mode: 'rpk',
          publicKey: publicKeyOf(certificate),
          serverPublicKey: this.#serverKey(),
          secretKey,
        };
      case 'x509': {
        const { authority: serverPublicKey } = this.facts;
        return {
          mode: 'x509',
          publicKey: certificate,
          serverPublicKey,
          secretKey,
          certificateUsage: TRUST_ANCHOR,
        };
      }
      case 'none':
        return { mode: 'none' };
      default:
        return credential satisfies never;
    }
  }

  #uriOf(transport: Transport): string {
    const { lwm2mUri, plainUri } = this.facts;
    if (transport === 'coaps') return lwm2mUri;
    if (transport === 'coaps+tcp') return withScheme(lwm2mUri, transport);
    if (plainUri !== '') return withScheme(plainUri, transport);
    throw provisioningError('PROVISIONING_REQUEST_INVALID', `${transport} is not offered here`, {
      hint: 'Start the system with `sefleet up --plain`; services by themselves: SEFLEET_LWM2M_PLAIN_URI.',
    });
  }

  #serverKey(): Uint8Array {
    const { serverCertificateFile: file } = this.facts;
    try {
      return publicKeyOf(readFileSync(file));
    } catch (cause) {
      throw provisioningError(
        'PROVISIONING_SERVER_CERTIFICATE_MISSING',
        `${file} is no certificate that can be read`,
        {
          cause,
          hint: "Set SEFLEET_LWM2M_SERVER_CERTIFICATE to the LwM2M server's certificate, a PEM file.",
        },
      );
    }
  }
}

function cardReference(container: number): Uint8Array {
  return cardKeyReference({ container });
}

/** SubjectPublicKeyInfo of a certificate, DER. */
export function publicKeyOf(certificate: Uint8Array): Uint8Array {
  return new X509Certificate(certificate).publicKey.export({ format: 'der', type: 'spki' });
}

function withScheme(uri: string, scheme: Transport): string {
  return scheme + uri.slice(uri.indexOf('://'));
}
