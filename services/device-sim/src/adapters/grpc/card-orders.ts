import { provisioning } from '@sefleet/api';
import { createGrpcClient, type TlsFiles } from '@sefleet/service';
import type { CardSource, DeliveredDevice } from '../../fleet/card-source.ts';
import { connectivityToProto } from './connectivity.ts';
import { kindFromProto, kindToProto } from './device-kind.ts';

/** Devices of one order, so that neither side has to hold a whole fleet in one message. */
const ORDER_SIZE = 1000;

/** Orders cards from provisioning over gRPC. */
export function createCardOrders(target: string, tls: TlsFiles): CardSource & { close(): void } {
  const client = createGrpcClient(provisioning.ManufacturingService, target, tls);
  return {
    close: () => client.close(),
    order: async function* (devices, signal) {
      for (let at = 0; at < devices.length && !signal.aborted; at += ORDER_SIZE) {
        const orders = devices.slice(at, at + ORDER_SIZE).map(({ endpoint, kind, connectivity }) => ({
          endpoint,
          kind: kindToProto(kind),
          connectivity: connectivityToProto(connectivity),
        }));
        for await (const { cards } of client.manufactureCards({ devices: orders }, { signal })) {
          yield cards.flatMap(toDevice);
        }
      }
    },
  };
}

function toDevice(card: provisioning.ManufacturedCard): readonly DeliveredDevice[] {
  const kind = kindFromProto(card.kind);
  if (kind === undefined) return [];
  return [
    {
      endpoint: card.endpoint,
      kind,
      bootstrapUri: card.bootstrapUri,
      bootstrapPskIdentity: card.bootstrapPskIdentity,
      bootstrapSecretId: card.bootstrapSecretId,
      deviceKeyId: card.deviceKeyId,
      certificateChain: card.certificateChain,
      factoryAccounts: card.factoryAccounts,
      cardImage: card.cardImage,
    },
  ];
}
