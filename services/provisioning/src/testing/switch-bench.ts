import { SqliteDatabase } from '@sefleet/service';
import type { CardLinks } from '../card-link/card-link.ts';
import type { KeyCustody } from '../custody/key-custody.ts';
import { CARD_PLANS } from '../domain/card-plan.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import { partyId } from '../domain/party.ts';
import { GroundStore } from '../rehearsal-ground/ground-store.ts';
import { Ground, type DeliveredCard } from '../rehearsal-ground/ground.ts';
import { faultsOf } from '../rehearsal-ground/played-faults.ts';
import type { SwitchJournal } from '../store/switch-journal.ts';
import { SqlSwitchJournal } from '../store/sql/sql-switch-journal.ts';
import { OWN_REGISTER, REHEARSED_REGISTER } from '../switch/market-register.ts';
import type { MeterPort } from '../switch/meter-port.ts';
import { NO_STAKEHOLDER_SERVERS } from '../switch/stakeholder-port.ts';
import { SwitchClock } from '../switch/switch-clock.ts';
import { SwitchOffice } from '../switch/switch-office.ts';
import { createBench } from './factory-bench.ts';

/** Start of rehearsals in tests. */
export const START = Date.UTC(2026, 5, 1, 20);
/** Their cut-over. */
export const CUT = Date.UTC(2026, 5, 1, 22);
const MINUTE_MS = 60_000;
/** What the registers of a kind count. */
const METRICS: Readonly<Record<DeviceKind, number>> = { 'smart-meter': 1, obu: 33, 'rpm-gateway': 71 };

/** What a service does outside of itself: the method of a port that it calls, and when a kill may fall. */
export interface Effect {
  readonly method: string;
  readonly side: 'before' | 'after';
}

/** How an office differs from one that lives, on what the bench has. */
export interface OfficeOptions {
  /** Asked before and after every effect; from its first no on the office is dead. */
  readonly isAlive?: ((effect: Effect) => boolean) | undefined;
  readonly custody?: KeyCustody | undefined;
  readonly clock?: SwitchClock | undefined;
  readonly journal?: SwitchJournal | undefined;
  readonly mandates?: 'given' | 'rehearsed' | undefined;
}

/** A rehearsal in one process: factory, ground, office and journal. */
export async function createSwitchBench(
  meters: number,
  faults: Readonly<Record<string, number>> = {},
  kind: DeviceKind = 'smart-meter',
) {
  const bench = await createBench();
  const endpoints = Array.from({ length: meters }, (_, i) => `m-${i}`);
  const shares = new Map(Object.entries(faults));
  const plan = {
    seed: '7',
    startAt: START,
    intervalMs: 15 * MINUTE_MS,
    cutOverAt: CUT,
    metric: METRICS[kind],
    faults: shares,
  };
  const { endpointsToCards } = await deliver(bench, endpoints, kind);
  const { domains, supplier } = CARD_PLANS[kind];
  const recordsApplet = domains.find(({ role }) => role === supplier)?.records;
  if (recordsApplet === undefined) throw new RangeError('no supplier on the plan');
  const cards: DeliveredCard[] = [];
  for (const endpoint of endpoints) {
    const image = endpointsToCards.get(endpoint) ?? new Uint8Array();
    const swapped = faultsOf(shares, plan.seed, endpoint, CUT).swapped
      ? (await deliver(bench, [`${endpoint}.other`], kind)).endpointsToCards
      : undefined;
    cards.push({ endpoint, image, recordsApplet, other: swapped?.get(`${endpoint}.other`) });
  }
  const ground = Ground.putUp(plan, cards, bench.runtime.rng, new GroundStore(':memory:'));
  const links = linksTo(ground);
  const journal = await SqlSwitchJournal.open(new SqliteDatabase(':memory:'));
  const clock = new SwitchClock(bench.runtime.clock);
  clock.advance(START);
  const office = (options: OfficeOptions = {}) => {
    const { isAlive = () => true, custody = bench.custody, mandates = 'rehearsed' } = options;
    const meter = mortal(meterPort(ground), isAlive);
    const mortalLinks: CardLinks = { open: (endpoint) => mortal(links.open(endpoint), isAlive) };
    const ports = {
      ...bench,
      custody,
      links: mortalLinks,
      meter,
      stakeholders: NO_STAKEHOLDER_SERVERS,
      market: faults['look-up-late'] === undefined ? OWN_REGISTER : REHEARSED_REGISTER,
      journal: mortal(options.journal ?? journal, isAlive),
      rng: bench.runtime.rng,
      mandates,
    };
    return new SwitchOffice(ports, options.clock ?? clock, bench.runtime);
  };
  return { bench, ground, journal, clock, office, endpoints, faults: shares };
}

/** The order of a plain switch at {@link CUT}. */
export function order(endpoints: readonly string[], faults: ReadonlyMap<string, number> = new Map()) {
  return {
    requestId: 'switch-1',
    verb: 'switch' as const,
    from: partyId('northern-power'),
    to: partyId('sunrise-energy'),
    endpoints,
    cutOverAt: CUT,
    concurrency: 8,
    ratePerMinute: 0,
    waves: [],
    wavePauseMs: 0,
    stopAbovePercent: 0,
    faults,
    seed: 7,
    market: 'DE',
  };
}

/** Lets a rehearsal run to its end: time jumps to the next thing that is due. */
export async function runToEnd(
  office: SwitchOffice,
  ground: Ground,
  switchId: string,
  until: number,
): Promise<void> {
  let now = START;
  const pass = async (to: number): Promise<void> => {
    now = Math.max(now, to);
    await ground.advance(now);
    office.advance(now);
  };
  await pass(START);
  for (;;) {
    const { done, working, nextDueAt } = await office.progress(switchId);
    if (done) break;
    if (working === 0) await pass(Math.max(now + 1000, nextDueAt));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await pass(until);
}

/**
 * The same port for a process that can be killed: from then on nothing that it asks for happens, and nothing
 * answers.
 * `isAlive` is asked before and after every effect, so that a kill can fall on either side.
 */
function mortal<T extends object>(port: T, isAlive: (effect: Effect) => boolean): T {
  return new Proxy(port, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function' || name === 'close') return member;
      return async (...values: unknown[]) => {
        const method = String(name);
        if (!isAlive({ method, side: 'before' })) return new Promise(() => undefined);
        const result: unknown = await Reflect.apply(member, target, values);
        return isAlive({ method, side: 'after' }) ? result : new Promise(() => undefined);
      };
    },
  });
}

function linksTo(ground: Ground): CardLinks {
  return {
    open: (endpoint) => ({
      exchange: (commands) => ground.exchange(endpoint, commands),
      close: () => undefined,
    }),
  };
}

function meterPort(ground: Ground): MeterPort {
  return {
    schedule: (endpoint, at, order) =>
      ground.at(endpoint, (meter) => {
        meter.prepare(order);
        meter.schedule(at);
      }),
    unschedule: (endpoint, order) =>
      ground.at(endpoint, (meter) => {
        meter.prepare(order);
        return meter.withdraw() ? 'cancelled' : 'taken';
      }),
    instantRecords: (endpoint) => ground.at(endpoint, (meter) => meter.instantRecords),
    rewriteAccounts: (endpoint) => ground.at(endpoint, () => undefined),
  };
}

async function deliver(
  bench: Awaited<ReturnType<typeof createBench>>,
  endpoints: readonly string[],
  kind: DeviceKind,
) {
  const endpointsToCards = new Map<string, Uint8Array>();
  const orders = endpoints.map((endpoint) => ({ endpoint, kind }));
  for await (const batch of bench.factory.deliver(orders, new AbortController().signal)) {
    for (const { device, image } of batch) endpointsToCards.set(device.endpoint, image);
  }
  return { endpointsToCards };
}
