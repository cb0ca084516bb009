import { randomUUID } from 'node:crypto';
import type { EventLog } from '@sefleet/observability';
import type { KeyCustody } from '../custody/key-custody.ts';
import { CARD_PLANS } from '../domain/card-plan.ts';
import { DEVICE_KINDS } from '../domain/device-kind.ts';
import { findParty } from '../domain/party.ts';
import type { DeviceRotation, Rotation, RotationProgress } from '../domain/rotation.ts';
import { provisioningError } from '../errors.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { DomainState, ProvisioningStore } from '../store/provisioning-store.ts';
import type { RotationRunner } from './rotation-runner.ts';

/** What is asked of a rotation. */
export interface RotationOrder {
  readonly requestId: string;
  /** A role or a party; empty for the supplier of each kind. */
  readonly stakeholder: string;
  /** Empty for every device with a card. */
  readonly endpoints: readonly string[];
  /** 0 for the default. */
  readonly concurrency: number;
}

const MAX_CONCURRENCY = 1024;
const MAX_DEVICES = 100_000;

/** Turns orders into journalled rotations and starts them. */
export class RotationOrders {
  readonly #store: ProvisioningStore;
  readonly #custody: KeyCustody;
  readonly #runner: RotationRunner;
  readonly #log: EventLog;
  readonly #defaultConcurrency: number;

  constructor(options: {
    readonly store: ProvisioningStore;
    readonly custody: KeyCustody;
    readonly runner: RotationRunner;
    readonly log: EventLog;
    readonly defaultConcurrency: number;
  }) {
    this.#store = options.store;
    this.#custody = options.custody;
    this.#runner = options.runner;
    this.#log = options.log;
    this.#defaultConcurrency = options.defaultConcurrency;
  }

  /** Starts a rotation, or finds the one that was started by the same request id. */
  async start(order: RotationOrder): Promise<RotationProgress> {
    const { requestId, stakeholder, concurrency } = order;
    const valid = requestId !== '' && concurrency <= MAX_CONCURRENCY && order.endpoints.length <= MAX_DEVICES;
    if (!valid) {
      throw provisioningError(
        'PROVISIONING_REQUEST_INVALID',
        'a rotation needs a request id and a concurrency to 1024',
      );
    }
    const domains = await this.#cohort(order);
    for (const { party, generation } of domains) {
      await this.#custody.vault(party).ensureMaster('domain', generation + 1);
    }
    const rotation: Rotation = {
      rotationId: randomUUID(),
      stakeholder: stakeholder === '' ? 'supplier' : stakeholder,
      concurrency: concurrency === 0 ? this.#defaultConcurrency : concurrency,
      total: domains.length,
    };
    const devices = domains.map((domain) => plan(rotation, domain));
    const rotationId = await this.#store.startRotation(requestId, rotation, devices);
    if (rotationId === rotation.rotationId) {
      this.#log.emit(PROVISIONING_EVENTS.rotationStarted, { ...rotation });
      this.#runner.start(rotation, devices);
    }
    return this.progress(rotationId);
  }

  /** How far a rotation has come. */
  async progress(rotationId: string): Promise<RotationProgress> {
    const progress = await this.#store.rotation(rotationId);
    if (progress === undefined)
      throw provisioningError('PROVISIONING_ROTATION_NOT_FOUND', `no rotation ${rotationId}`);
    return progress;
  }

  async #cohort({ stakeholder, endpoints }: RotationOrder): Promise<readonly DomainState[]> {
    const holders = holdersOf(stakeholder);
    const cohort = endpoints.length === 0 ? await this.#store.cardEndpoints() : [...new Set(endpoints)];
    const domains = await this.#store.domainsOf(cohort, holders);
    if (endpoints.length > 0) {
      const found = new Set(domains.map(({ endpoint }) => endpoint));
      const missing = cohort.find((endpoint) => !found.has(endpoint));
      if (missing !== undefined) {
        throw provisioningError(
          'PROVISIONING_DEVICE_NOT_FOUND',
          `${missing} has no Security Domain of ${stakeholder}`,
        );
      }
    }
    return domains.filter(({ endpoint }) => !this.#runner.isBusy(endpoint));
  }
}

function holdersOf(stakeholder: string): ReadonlySet<string> {
  if (stakeholder === '') return new Set(DEVICE_KINDS.map((kind) => CARD_PLANS[kind].supplier));
  const roles = DEVICE_KINDS.flatMap((kind) => CARD_PLANS[kind].domains.map(({ role }) => String(role)));
  if (roles.includes(stakeholder) || findParty(stakeholder) !== undefined) return new Set([stakeholder]);
  throw provisioningError('PROVISIONING_STAKEHOLDER_NOT_FOUND', `no role or party is called ${stakeholder}`, {
    context: { roles: [...new Set(roles)] },
  });
}

function plan(rotation: Rotation, { endpoint, domain, party, generation }: DomainState): DeviceRotation {
  return {
    rotationId: rotation.rotationId,
    endpoint,
    domain,
    party,
    step: 'planned',
    fromGeneration: generation,
    toGeneration: generation + 1,
  };
}
