import { management } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import type { EventLog } from '@sefleet/observability';
import { createGrpcClient } from '@sefleet/service';
import type { CallContext, CallOptions, GrpcClient, TlsFiles } from '@sefleet/service';
import { shardOf } from '../../domain/shard-map.ts';
import { serviceError } from '../../errors.ts';

/** Another management server of the fleet. */
export interface ShardPeer {
  /** Where devices reach it. */
  readonly uri: string;
  readonly client: GrpcClient<typeof management.DeviceManagementService>;
}

/** A device that this server has. */
export interface OwnDevice {
  readonly updatedAtMs: number;
  readonly reachable: boolean;
}

/** Where a device is: on another server, here, or nowhere that is known. */
type Place = ShardPeer | 'here' | 'nowhere';

/** How long a server may take to say whether it has a device, or for its part of an answer. */
const PART_MS = 3000;
/** How long a connection that was lost may take to come back before all servers are asked again. */
const CONNECTED_MS = 1000;
const PLACES_MAX = 100_000;

/**
 * The servers of a fleet among which bootstrap spreads the devices, as one of them sees the others. Each
 * answers callers for all of them: what concerns a device is passed on to the server that has it, in the
 * name of the caller, so that the rules and the audit records are that server's.
 */
export class Shards {
  readonly peers: readonly ShardPeer[];
  readonly #ownUri: string;
  readonly #own: (endpoint: string) => OwnDevice | undefined;
  readonly #log: EventLog;
  readonly #places = new Map<string, ShardPeer>();

  /**
   * @param text `host:port=coaps://host:port` with blanks between them: the gRPC target of each other
   * server, and where devices reach it
   * @param own the device under a name, if this server has it
   */
  constructor(
    text: string,
    options: {
      readonly ownUri: string;
      readonly tls: TlsFiles;
      readonly log: EventLog;
      readonly own: (endpoint: string) => OwnDevice | undefined;
    },
  ) {
    this.#ownUri = options.ownUri;
    this.#own = options.own;
    this.#log = options.log;
    this.peers = text
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word) => {
        const [target = '', uri = ''] = word.split(/=(.*)/s);
        return { uri, client: createGrpcClient(management.DeviceManagementService, target, options.tls) };
      });
  }

  /** Where devices reach this server: its name among the shards. */
  get ownUri(): string {
    return this.#ownUri;
  }

  /**
   * The server to pass a call about a device on to; undefined: this one.
   *
   * @throws SefleetError `LWM2M_SHARD_UNAVAILABLE` when none that answers has it
   */
  async holderOf(endpoint: string, context: CallContext): Promise<ShardPeer | undefined> {
    if (this.peers.length === 0 || context.isPassedOn === true) return undefined;
    if (this.#own(endpoint)?.reachable === true) return undefined;
    const known = this.#places.get(endpoint);
    const isThere = known !== undefined && (await isConnected(known));
    const place = isThere ? known : await this.#find(endpoint);
    return typeof place === 'string' ? undefined : place;
  }

  /** As {@link Shards.holderOf}; for a device that is nowhere, the server that bootstrap would give it to. */
  async futureHolderOf(endpoint: string, context: CallContext): Promise<ShardPeer | undefined> {
    const holder = await this.holderOf(endpoint, context);
    if (holder !== undefined || context.isPassedOn === true || this.#own(endpoint) !== undefined)
      return holder;
    const uri = shardOf(endpoint, [this.#ownUri, ...this.peers.map((peer) => peer.uri)]);
    return this.peers.find((peer) => peer.uri === uri);
  }

  /** The device is not where it was found before. */
  forget(endpoint: string): void {
    this.#places.delete(endpoint);
  }

  /**
   * The answers of every other server to one question; a server that does not answer is left out, counted.
   * A call that was passed on to this server is not passed on again.
   */
  async ask<T>(
    context: CallContext,
    question: (client: ShardPeer['client'], options: CallOptions) => Promise<T>,
  ): Promise<{ readonly answers: readonly T[]; readonly silent: number }> {
    if (context.isPassedOn === true) return { answers: [], silent: 0 };
    const options = { ...passedOn(context), deadlineMs: PART_MS };
    const asked = await Promise.allSettled(this.peers.map(({ client }) => question(client, options)));
    const answers: T[] = [];
    let silent = 0;
    for (const answer of asked) {
      if (answer.status === 'fulfilled') answers.push(answer.value);
      else if (isSefleetError(answer.reason) && answer.reason.fault === 'environment') silent++;
      else throw answer.reason;
    }
    if (silent > 0) this.#log.count('shards.silent', silent);
    return { answers, silent };
  }

  close(): void {
    for (const { client } of this.peers) client.close();
  }

  async #find(endpoint: string): Promise<Place> {
    const own = this.#own(endpoint);
    const asked = this.peers.map(async (peer) => {
      const { registration } = await peer.client.getRegistration({ endpoint }, { deadlineMs: PART_MS });
      return { peer, updatedAt: Number(registration?.updatedAt?.seconds ?? 0n) };
    });
    let place: { readonly peer: ShardPeer; readonly updatedAt: number } | undefined;
    let silent = 0;
    for (const answer of await Promise.allSettled(asked)) {
      if (answer.status === 'fulfilled') {
        // One that moved may be on two servers, until its first registration expires.
        if (place === undefined || answer.value.updatedAt > place.updatedAt) place = answer.value;
      } else if (!isSefleetError(answer.reason, 'LWM2M_DEVICE_NOT_FOUND')) silent++;
    }
    if (place !== undefined && place.updatedAt * 1000 > (own?.updatedAtMs ?? 0)) {
      if (this.#places.size >= PLACES_MAX) this.#places.clear();
      this.#places.set(endpoint, place.peer);
      return place.peer;
    }
    if (own !== undefined) return 'here';
    if (silent === 0) return 'nowhere';
    this.#log.count('shards.silent', silent);
    throw serviceError(
      'LWM2M_SHARD_UNAVAILABLE',
      `${endpoint} is on none of the servers that answer; ${silent} did not`,
      { context: { endpoint, silent } },
    );
  }
}

/** Calls wait for a connection, an operation for minutes: that a server is gone has to be known before. */
function isConnected({ client }: ShardPeer): Promise<boolean> {
  return client.connected(CONNECTED_MS).then(
    () => true,
    () => false,
  );
}

/** A call that is made again in the name of its caller. */
export function passedOn({ caller, signal }: CallContext): CallOptions {
  return { onBehalfOf: caller, signal };
}
