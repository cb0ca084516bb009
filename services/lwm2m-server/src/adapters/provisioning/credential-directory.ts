import type { provisioning } from '@sefleet/api';
import { createSoftwarePsk } from '@sefleet/dtls';
import type { PskKeyProvider } from '@sefleet/dtls';
import type { EventLog } from '@sefleet/observability';
import type { Runtime } from '@sefleet/runtime';
import type { GrpcClient } from '@sefleet/service';
import type { DeviceCredential } from '../../domain/credential.ts';
import { serviceError } from '../../errors.ts';
import { EVENTS } from '../../events.ts';
import { kindName } from '../grpc/device-kind.ts';

/** A credential with its key. */
export interface KnownCredential extends DeviceCredential {
  readonly key: PskKeyProvider;
}

type Client = Pick<GrpcClient<typeof provisioning.CredentialService>, 'lookupPsks'>;

interface Cached {
  readonly credential: KnownCredential | undefined;
  readonly untilMs: number;
}

/** Identities wait this long for others, so that a fleet that starts asks in batches. */
const GATHER_MS = 3;
const BATCH_MAX = 500;
/** About 400 bytes each. */
const CACHED_MAX = 100_000;
/** A revoked key is refused at the latest after this; sessions that run are not touched. */
const FRESH_MS = 300_000;
/** A device that was made after it first tried is let in after this. */
const UNKNOWN_FRESH_MS = 2000;
/** Identities that are being asked for; beyond it, handshakes fail and are tried again by their devices. */
const PENDING_MAX = 20_000;
const DEADLINE_MS = 5000;

/** PSKs of devices by identity, asked of provisioning in batches and remembered for a while. */
export class CredentialDirectory {
  readonly #client: Client;
  readonly #runtime: Runtime;
  readonly #log: EventLog;
  readonly #cache = new Map<string, Cached>();
  readonly #pending = new Map<string, PromiseWithResolvers<KnownCredential | undefined>>();
  #gathering: string[] = [];

  constructor(client: Client, runtime: Runtime, log: EventLog) {
    this.#client = client;
    this.#runtime = runtime;
    this.#log = log;
  }

  /**
   * The credential of an identity, undefined for an unknown one.
   *
   * Rejects with `LWM2M_CREDENTIALS_UNAVAILABLE` when provisioning does not answer.
   */
  find(identity: string): KnownCredential | undefined | Promise<KnownCredential | undefined> {
    const cached = this.#cache.get(identity);
    if (cached !== undefined) {
      if (cached.untilMs > this.#runtime.clock.monotonicMs()) return cached.credential;
      this.#cache.delete(identity);
    }
    const pending = this.#pending.get(identity);
    if (pending !== undefined) return pending.promise;
    if (this.#pending.size >= PENDING_MAX) {
      return Promise.reject(serviceError('LWM2M_CREDENTIALS_UNAVAILABLE', 'too many look-ups wait'));
    }
    return this.#ask(identity);
  }

  #ask(identity: string): Promise<KnownCredential | undefined> {
    const waiting = Promise.withResolvers<KnownCredential | undefined>();
    this.#pending.set(identity, waiting);
    this.#gathering.push(identity);
    if (this.#gathering.length === 1) this.#runtime.timers.after(GATHER_MS, () => this.#flush());
    else if (this.#gathering.length >= BATCH_MAX) this.#flush();
    return waiting.promise;
  }

  #flush(): void {
    const identities = this.#gathering;
    this.#gathering = [];
    if (identities.length === 0) return;
    this.#log.count('credentials.batches');
    void this.#client.lookupPsks({ identities }, { deadlineMs: DEADLINE_MS }).then(
      ({ credentials }) => this.#onFound(identities, credentials),
      (cause: unknown) => this.#onFailed(identities, cause),
    );
  }

  #onFound(identities: readonly string[], found: readonly provisioning.PskCredential[]): void {
    const byIdentity = new Map(found.map((credential) => [credential.identity, credential]));
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const identity of identities) {
      const raw = byIdentity.get(identity);
      const credential = raw === undefined || raw.psk.length === 0 ? undefined : toCredential(raw);
      const untilMs = nowMs + (credential === undefined ? UNKNOWN_FRESH_MS : FRESH_MS);
      this.#remember(identity, { credential, untilMs });
      this.#pending.get(identity)?.resolve(credential);
      this.#pending.delete(identity);
    }
  }

  #onFailed(identities: readonly string[], cause: unknown): void {
    this.#log.emit(EVENTS.credentialsFailed, { identities: identities.length, error: cause });
    const error = serviceError('LWM2M_CREDENTIALS_UNAVAILABLE', 'provisioning did not answer', { cause });
    for (const identity of identities) {
      this.#pending.get(identity)?.reject(error);
      this.#pending.delete(identity);
    }
  }

  #remember(identity: string, cached: Cached): void {
    this.#cache.set(identity, cached);
    if (this.#cache.size <= CACHED_MAX) return;
    // A map iterates in the order of insertion: the first one was asked for longest ago.
    for (const oldest of this.#cache.keys()) {
      this.#cache.delete(oldest);
      return;
    }
  }
}

function toCredential(raw: provisioning.PskCredential): KnownCredential {
  const { identity, endpoint, bootstrap } = raw;
  return {
    identity,
    endpoint,
    bootstrap,
    kind: kindName(raw.kind),
    key: createSoftwarePsk(identity, raw.psk),
  };
}
