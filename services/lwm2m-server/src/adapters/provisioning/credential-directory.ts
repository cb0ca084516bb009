import type { provisioning } from '@sefleet/api';
import { createSoftwarePsk } from '@sefleet/dtls';
import type { PskKeyProvider } from '@sefleet/dtls';
import type { EventLog } from '@sefleet/observability';
import type { Runtime } from '@sefleet/runtime';
import type { GrpcClient } from '@sefleet/service';
import type { DeviceCredential, OwnCredential } from '../../domain/credential.ts';
import { EVENTS } from '../../events.ts';
import { kindName } from '../grpc/device-kind.ts';
import { BatchedLookup } from './batched-lookup.ts';

/** A credential with its key. */
export interface KnownCredential extends DeviceCredential {
  readonly key: PskKeyProvider;
  /** The key itself, for TLS, whose stack takes no other form. */
  readonly secret: Uint8Array;
}

type Client = Pick<GrpcClient<typeof provisioning.CredentialService>, 'lookupPsks' | 'lookupOwnCredentials'>;

const DEADLINE_MS = 5000;

/** Credentials of devices, asked of provisioning in batches and remembered for a while. */
export class CredentialDirectory {
  readonly #psks: BatchedLookup<KnownCredential>;
  readonly #own: BatchedLookup<OwnCredential>;

  constructor(client: Client, runtime: Runtime, log: EventLog) {
    const told = {
      runtime,
      onAsked: () => log.count('credentials.batches'),
      onFailed: (identities: number, error: unknown) =>
        log.emit(EVENTS.credentialsFailed, { identities, error }),
    };
    this.#psks = new BatchedLookup({ ...told, ask: (identities) => askPsks(client, identities) });
    this.#own = new BatchedLookup({ ...told, ask: (references) => askOwn(client, references) });
  }

  /** The PSK of an identity. As {@link BatchedLookup.find}. */
  find(identity: string): KnownCredential | undefined | Promise<KnownCredential | undefined> {
    return this.#psks.find(identity);
  }

  /** Who holds a credential that its owner made, by its reference. As {@link BatchedLookup.find}. */
  findOwn(reference: string): OwnCredential | undefined | Promise<OwnCredential | undefined> {
    return this.#own.find(reference);
  }
}

async function askPsks(
  client: Client,
  identities: readonly string[],
): Promise<ReadonlyMap<string, KnownCredential>> {
  const { credentials } = await client.lookupPsks(
    { identities: [...identities] },
    { deadlineMs: DEADLINE_MS },
  );
  const usable = credentials.filter(({ psk }) => psk.length > 0);
  return new Map(usable.map((credential) => [credential.identity, toCredential(credential)]));
}

async function askOwn(
  client: Client,
  references: readonly string[],
): Promise<ReadonlyMap<string, OwnCredential>> {
  const { credentials } = await client.lookupOwnCredentials(
    { references: [...references] },
    { deadlineMs: DEADLINE_MS },
  );
  return new Map(
    credentials.map(({ reference, endpoint, kind, authority }) => {
      return [reference, { endpoint, kind: kindName(kind), authority }];
    }),
  );
}

function toCredential(raw: provisioning.PskCredential): KnownCredential {
  const { identity, endpoint, bootstrap, psk } = raw;
  return {
    identity,
    endpoint,
    bootstrap,
    kind: kindName(raw.kind),
    key: createSoftwarePsk(identity, psk),
    secret: psk,
  };
}
