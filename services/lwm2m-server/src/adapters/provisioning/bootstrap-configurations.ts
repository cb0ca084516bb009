import type { provisioning } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import { Lwm2mPath } from '@sefleet/lwm2m';
import { accountWrites } from '@sefleet/lwm2m-coap';
import type { BootstrapConfiguration } from '@sefleet/lwm2m-coap';
import type { GrpcClient } from '@sefleet/service';
import { shardOf } from '../../domain/shard-map.ts';

type Client = Pick<GrpcClient<typeof provisioning.CredentialService>, 'getBootstrapConfiguration'>;

const DEADLINE_MS = 10_000;

/**
 * What the bootstrap server writes to a device, asked of provisioning; undefined when it knows no such
 * device.
 *
 * @param shards management servers that take the place of the one that provisioning names, if there are any
 */
export async function bootstrapConfigurationFor(
  client: Client,
  endpoint: string,
  shards: readonly string[],
): Promise<BootstrapConfiguration | undefined> {
  try {
    const { deletes, servers } = await client.getBootstrapConfiguration(
      { endpoint },
      { deadlineMs: DEADLINE_MS },
    );
    const shard = shardOf(endpoint, shards);
    return {
      deletes: deletes.map((path) => Lwm2mPath.parse(path)),
      writes: servers.flatMap((account) => toWrites(account, shard)),
    };
  } catch (error) {
    if (isSefleetError(error) && error.fault === 'caller') return undefined;
    throw error;
  }
}

function toWrites(
  account: provisioning.ServerAccount,
  shard: string | undefined,
): BootstrapConfiguration['writes'] {
  const { securityInstance, serverInstance, shortServerId, lifetimeSeconds, notificationStoring } = account;
  const identity = account.pskIdentity;
  const security = identity === '' ? ({ mode: 'none' } as const) : pskOf(identity, account.secretKey);
  const binding = account.binding === '' ? 'U' : account.binding;
  return accountWrites({
    securityInstance,
    serverInstance,
    shortServerId,
    uri: shard ?? account.uri,
    security,
    lifetimeSeconds,
    binding,
    notificationStoring,
  });
}

function pskOf(identity: string, key: Uint8Array): { mode: 'psk'; identity: string; key: Uint8Array } {
  return { mode: 'psk', identity, key };
}
