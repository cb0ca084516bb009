import { createHash } from 'node:crypto';

/**
 * Chooses the management server of a device by rendezvous hashing: every device has its own order of
 * preference among the shards, so that a shard that comes or goes moves only its own share of the fleet.
 *
 * @param shards URIs of the management servers
 * @returns the URI for an endpoint name; undefined when there are no shards
 */
export function shardOf(endpoint: string, shards: readonly string[]): string | undefined {
  let best: string | undefined;
  let highest = -1;
  for (const shard of shards) {
    const weight = createHash('sha256').update(`${shard}\0${endpoint}`).digest().readUIntBE(0, 6);
    if (weight > highest) {
      highest = weight;
      best = shard;
    }
  }
  return best;
}
