import { provisioning } from '@sefleet/api';
import type { EventLog } from '@sefleet/observability';
import { serve, type ServedService } from '@sefleet/service';
import { ISSUER_SECURITY_DOMAIN, IOT_SAFE_INSTANCE } from '@sefleet/secure-element';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { CARD_PLANS, IOT_SAFE_CONTAINER } from '../../domain/card-plan.ts';
import type { DeviceKind } from '../../domain/device-kind.ts';
import { toOwnCredential, type OwnCredential } from '../../domain/own-credential.ts';
import { pskIdentity } from '../../domain/psk-identity.ts';
import type { DeliveredCard, Factory } from '../../manufacture/factory.ts';
import { provisioningError } from '../../errors.ts';
import { requirePermission } from './authorisation.ts';
import { fromApiConnectivity } from './connectivity.ts';
import { fromApiKind, toApiKind } from './messages.ts';

const Type = provisioning.CardApplicationType;

/** The factory over gRPC. */
export function serveManufacturing(options: {
  readonly factory: Factory;
  readonly bootstrapUri: string;
  readonly authorityPem: string;
  readonly log: EventLog;
  /** Remembers a certificate that was issued, so that it can be revoked. */
  readonly onCertificate: (endpoint: string, certificatePem: string) => Promise<void>;
}): ServedService {
  const { factory, bootstrapUri, authorityPem, log, onCertificate } = options;
  return serve(provisioning.ManufacturingService, {
    async *manufactureCards({ devices }, { caller, signal }) {
      requirePermission(caller, 'order-cards', log);
      const orders = devices.map(({ endpoint, kind, connectivity }) => ({
        endpoint,
        kind: fromApiKind(kind),
        connectivity: fromApiConnectivity(connectivity),
      }));
      for await (const cards of factory.deliver(orders, signal)) {
        yield { cards: cards.map((card) => toManufacturedCard(card, bootstrapUri)) };
      }
    },
    addSoftwareDevice: async ({ endpoint, kind, withCertificate, ownCredentials }, { caller }) => {
      requirePermission(caller, 'add-software-devices', log);
      const own = ownCredentials.map((credential) => fromApiCredential(credential, endpoint));
      const order = { endpoint, kind: fromApiKind(kind) };
      const made = await factory.addSoftwareDevice(order, withCertificate, own);
      if (made.credential !== undefined) await onCertificate(endpoint, made.credential.certificatePem);
      return {
        endpoint,
        pskIdentity: made.identity,
        psk: made.psk,
        certificatePem: made.credential?.certificatePem ?? '',
        privateKeyPem: made.credential?.privateKeyPem ?? '',
        authorityPem,
      };
    },
  });
}

function fromApiCredential({ credential }: provisioning.OwnCredential, endpoint: string): OwnCredential {
  switch (credential.case) {
    case 'publicKey':
      return toOwnCredential('public-key', credential.value, endpoint);
    case 'certificate':
    case 'authority':
      return toOwnCredential(credential.case, credential.value, endpoint);
    default:
      throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a credential of the owner is empty');
  }
}

function toManufacturedCard(
  { device, image, certificateChain, factoryAccounts }: DeliveredCard,
  bootstrapUri: string,
): MessageInitShape<typeof provisioning.ManufacturedCardSchema> {
  return {
    endpoint: device.endpoint,
    kind: toApiKind(device.kind),
    cardImage: image,
    bootstrapUri,
    bootstrapPskIdentity: pskIdentity(device.endpoint, 'bootstrap'),
    bootstrapSecretId: IOT_SAFE_CONTAINER.bootstrapPsk,
    certificateChain: [...certificateChain],
    deviceKeyId: IOT_SAFE_CONTAINER.deviceKey,
    applications: applicationsOf(device.kind),
    factoryAccounts,
  };
}

function applicationsOf(kind: DeviceKind): MessageInitShape<typeof provisioning.CardApplicationSchema>[] {
  const { issuer, domains } = CARD_PLANS[kind];
  const issuers = { role: 'card-issuer', stakeholder: issuer, securityDomain: ISSUER_SECURITY_DOMAIN };
  return [
    { aid: ISSUER_SECURITY_DOMAIN, type: Type.SECURITY_DOMAIN, ...issuers },
    { aid: IOT_SAFE_INSTANCE, type: Type.IOT_SAFE, ...issuers },
    ...domains.flatMap(({ role, party, domain, records }) => [
      { aid: domain, type: Type.SECURITY_DOMAIN, role, stakeholder: party, securityDomain: domain },
      { aid: records, type: Type.RECORDS, role, stakeholder: party, securityDomain: domain },
    ]),
  ];
}
