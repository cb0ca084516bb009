import { isDeepStrictEqual } from 'node:util';
import { common, management, provisioning, switching } from '@sefleet/api';
import { aid } from '@sefleet/globalplatform';
import { exportCard } from '@sefleet/secure-element';
import type { Rng } from '@sefleet/runtime';
import { serve, type GrpcClient, type ServedService, type ServiceImplementation } from '@sefleet/service';
import { groundError } from './errors.ts';
import type { GroundStore } from './ground-store.ts';
import { Ground, type DeliveredCard } from './ground.ts';
import type { GroundPlan } from './ground-plan.ts';
import { faultsOf } from './played-faults.ts';

type Factory = Pick<GrpcClient<typeof provisioning.ManufacturingService>, 'manufactureCards'>;

/** The ground of the rehearsal that runs, if one does. */
export interface GroundHolder {
  ground: Ground | undefined;
}

/** What kinds of devices are called, who the supplier of each is, and what its register counts. */
const KINDS: ReadonlyMap<common.DeviceKind, { name: string; supplier: string; metric: number }> = new Map([
  [common.DeviceKind.SMART_METER, { name: 'meter', supplier: 'energy-supplier', metric: 1 }],
  [common.DeviceKind.OBU, { name: 'obu', supplier: 'insurer', metric: 33 }],
  [common.DeviceKind.RPM_GATEWAY, { name: 'gateway', supplier: 'healthcare-provider', metric: 71 }],
]);
const MAX_METERS = 20_000;
const METERS_PER_MESSAGE = 32;
const CARDS_PER_ORDER = 1000;

/** The rehearsal ground over gRPC. */
export function serveGround(
  holder: GroundHolder,
  factory: Factory,
  rng: Rng,
  store: GroundStore,
): ServedService {
  let line: Promise<unknown> = Promise.resolve();
  return serve(switching.RehearsalGroundService, {
    // Whoever asks again waits for what it asked for before, and finds it done.
    prepareGround: (request) => {
      const prepared = line.then(() => prepare(request, holder, factory, rng, store));
      line = prepared.catch(() => undefined);
      return prepared;
    },
    advanceGround: async ({ now }) => {
      return { nextReturnAt: BigInt(await require(holder).advance(Number(now))) };
    },
    async *collectMeters({ images }) {
      let meters = [];
      let pictured = 0;
      for (const meter of require(holder).collect()) {
        meters.push({
          ...meter,
          cardImage: pictured++ < images ? exportCard(meter.card) : new Uint8Array(),
          faults: [...meter.faults],
          firstAt: BigInt(meter.firstAt),
          lastAt: BigInt(meter.lastAt),
          firstRegisterWh: BigInt(meter.firstRegisterWh),
          lastRegisterWh: BigInt(meter.lastRegisterWh),
          registerCapacityWh: BigInt(meter.capacityWh),
          cutOvers: meter.cutOvers.map(({ instant, takenAt, registerWh }) => {
            return { instant: BigInt(instant), takenAt: BigInt(takenAt), registerWh: BigInt(registerWh) };
          }),
        });
        if (meters.length < METERS_PER_MESSAGE) continue;
        yield { meters };
        meters = [];
      }
      yield { meters };
    },
  });
}

/** Orders the cards and puts the meters up, unless an earlier call with the same plan has. */
async function prepare(
  request: switching.PrepareGroundRequest,
  holder: GroundHolder,
  factory: Factory,
  rng: Rng,
  store: GroundStore,
) {
  const { meters, faults } = request;
  if (meters === 0 || meters > MAX_METERS)
    throw groundError('GROUND_NOT_SUPPORTED', `a rehearsal has 1 to ${MAX_METERS} meters`);
  if (meters === 1 && faults.some(({ name }) => name === 'swap'))
    throw groundError('GROUND_NOT_SUPPORTED', 'cards of one meter alone cannot be swapped');
  const kind = request.kind === common.DeviceKind.UNSPECIFIED ? common.DeviceKind.SMART_METER : request.kind;
  const played = KINDS.get(kind);
  if (played === undefined) throw groundError('GROUND_NOT_SUPPORTED', 'no such kind of device');
  const plan: GroundPlan = {
    seed: String(request.seed),
    startAt: Number(request.now),
    intervalMs: request.intervalMinutes * 60_000,
    cutOverAt: Number(request.cutOverAt),
    metric: played.metric,
    faults: new Map(faults.map(({ name, percent }) => [name, percent])),
  };
  const endpoints = Array.from({ length: meters }, (_, i) => meterName(played.name, i + 1));
  const { ground } = holder;
  if (ground !== undefined) {
    if (isDeepStrictEqual([ground.plan, ground.endpoints], [plan, endpoints])) return { endpoints };
    throw groundError('GROUND_EXISTS', 'a rehearsal was prepared here before');
  }
  const cards = [...(await orderCards(factory, endpoints, kind, played.supplier)).values()];
  const delivered = cards.map((card, i) => {
    const { swapped } = faultsOf(plan.faults, plan.seed, card.endpoint, plan.cutOverAt);
    // Where cards were swapped, the next meter's answers.
    return { ...card, other: swapped ? cards[(i + 1) % cards.length]?.image : undefined };
  });
  holder.ground = Ground.putUp(plan, delivered, rng, store);
  return { endpoints };
}

/** What an LwM2M server offers of meters, as far as a switch needs it. */
export function serveMeters(holder: GroundHolder): ServedService {
  const unsupported = (): never => {
    throw groundError('GROUND_NOT_SUPPORTED', 'meters of a rehearsal are switched and nothing else');
  };
  const service = management.DeviceManagementService;
  const offered: Partial<ServiceImplementation<typeof service>> = {
    exchangeApdus: async ({ endpoint, commands }) => {
      return { responses: [...(await require(holder).exchange(endpoint, commands))] };
    },
    async *openApduChannel(requests) {
      let endpoint = '';
      for await (const request of requests) {
        if (request.endpoint !== '') ({ endpoint } = request);
        yield { responses: [...(await require(holder).exchange(endpoint, request.commands))] };
      }
    },
    write: async ({ endpoint, path, senmlJson }) => {
      const [entry]: { v?: number; vd?: string }[] = JSON.parse(senmlJson);
      const { v: instant, vd: order } = entry ?? {};
      const done = await require(holder).at(endpoint, (meter) => {
        if (path === PATH.INSTANT && instant !== undefined) meter.schedule(instant);
        else if (path === PATH.ORDER && order !== undefined) meter.prepare(Buffer.from(order, 'base64url'));
        else return false;
        return true;
      });
      return { code: done ? '2.04' : '4.04' };
    },
    execute: async ({ endpoint, path }) => {
      if (path !== PATH.WITHDRAW) return { code: '4.04' };
      const withdrawn = await require(holder).at(endpoint, (meter) => meter.withdraw());
      return { code: withdrawn ? '2.04' : '4.05' };
    },
    read: async ({ endpoint, path }) => {
      const records = await require(holder).at(endpoint, (meter) => meter.instantRecords);
      const payload =
        path === PATH.CLOSING_RECORD
          ? records?.closing
          : path === PATH.OPENING_RECORD
            ? records?.opening
            : undefined;
      return payload === undefined ? { code: '4.04' } : { code: '2.05', payload };
    },
  };
  const others = Object.fromEntries(service.methods.map(({ localName }) => [localName, unsupported]));
  return { service, implementation: { ...others, ...offered } };
}

/** Resources of the supply contract, object 30002. */
const PATH = {
  INSTANT: '/30002/0/0',
  CLOSING_RECORD: '/30002/0/1',
  WITHDRAW: '/30002/0/2',
  ORDER: '/30002/0/3',
  OPENING_RECORD: '/30002/0/4',
};

function require({ ground }: GroundHolder): Ground {
  if (ground === undefined) throw groundError('GROUND_METER_NOT_FOUND', 'no rehearsal was prepared');
  return ground;
}

function meterName(name: string, number: number): string {
  return `urn:dev:sefleet:${name}-${String(number).padStart(6, '0')}`;
}

async function orderCards(
  factory: Factory,
  endpoints: readonly string[],
  kind: common.DeviceKind,
  supplier: string,
): Promise<Map<string, Omit<DeliveredCard, 'other'>>> {
  const cards = new Map<string, Omit<DeliveredCard, 'other'>>();
  for (let at = 0; at < endpoints.length; at += CARDS_PER_ORDER) {
    const devices = endpoints.slice(at, at + CARDS_PER_ORDER).map((endpoint) => ({ endpoint, kind }));
    for await (const { cards: made } of factory.manufactureCards({ devices })) {
      for (const { endpoint, cardImage, applications } of made) {
        const records = applications.find(
          ({ role, type }) => role === supplier && type === provisioning.CardApplicationType.RECORDS,
        );
        cards.set(endpoint, { endpoint, image: cardImage, recordsApplet: aid(records?.aid ?? '') });
      }
    }
  }
  return cards;
}
