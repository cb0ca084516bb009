import { createHash } from 'node:crypto';
import { decodeResponse, isProcessed, type Aid } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { exportCard, importCard, type SecureElement } from '@sefleet/secure-element';
import { groundError } from './errors.ts';
import type { GroundPlan } from './ground-plan.ts';
import type { GroundStore, KeptMeter, KeptPlace, MeterChange } from './ground-store.ts';
import { faultsOf, type PlayedFaults } from './played-faults.ts';
import { RegisterModel } from './register-model.ts';
import { VirtualMeter } from './virtual-meter.ts';

/** A card as the factory delivered it. */
export interface DeliveredCard {
  readonly endpoint: string;
  readonly image: Uint8Array;
  /** The applet that seals records for the supplier. */
  readonly recordsApplet: Aid;
  /** Another card that answers in its place when the swap of cards is played. */
  readonly other: Uint8Array | undefined;
}

interface Place extends KeptPlace {
  readonly meter: VirtualMeter;
  readonly faults: PlayedFaults;
  /** The card that answers; the meter's, unless it was swapped. */
  readonly answering: SecureElement;
  readonly exchanges: Uint8Array[];
  count: number;
  /** The last commands, for replays. */
  earlier: readonly Uint8Array[];
  /** What of it is on disk: numbers of records and exchanges, revisions of the cards. */
  kept: { records: number; exchanges: number; card: number; answering: number };
}

/** Meters per turn of the event loop while time passes. */
const BATCH = 64;
/** Commands that somebody on the way remembers. */
const EARLIER = 12;

/**
 * All meters of a rehearsal, and what happens on the way to them. Whatever it answers is on disk by then: a
 * ground that is killed goes on where it was when it last told anybody anything, and its cards have lost
 * their power in between.
 */
export class Ground {
  readonly #plan: GroundPlan;
  readonly #rng: Rng;
  readonly #store: GroundStore;
  readonly #places = new Map<string, Place>();
  readonly #changed = new Set<Place>();
  #keeping: Promise<void> | undefined;
  #now: number;

  private constructor(plan: GroundPlan, now: number, rng: Rng, store: GroundStore) {
    this.#plan = plan;
    this.#now = now;
    this.#rng = rng;
    this.#store = store;
  }

  /** Puts all meters up; the store must be empty. */
  static putUp(plan: GroundPlan, cards: readonly DeliveredCard[], rng: Rng, store: GroundStore): Ground {
    const ground = new Ground(plan, plan.startAt, rng, store);
    for (const [i, { image: card, ...delivered }] of cards.entries()) {
      const memory = {
        nextAt: plan.startAt,
        instant: undefined,
        order: undefined,
        cutOver: undefined,
        taken: [],
        readers: [{ application: delivered.recordsApplet, lastAt: undefined }],
      };
      const fresh = { count: 0, earlier: [], records: [], exchanges: [] };
      ground.#put({ number: i + 1, ...delivered, card, memory, ...fresh });
    }
    const places = [...ground.#places.values()];
    store.putUp(
      plan,
      places,
      places.map((place) => changeOf(place, 'all')),
    );
    return ground;
  }

  /** Goes on with what a former process left; undefined when that is nothing. */
  static restore(rng: Rng, store: GroundStore): Ground | undefined {
    const kept = store.ground();
    if (kept === undefined) return undefined;
    const ground = new Ground(kept.plan, kept.now, rng, store);
    for (const meter of store.meters()) ground.#put(meter);
    return ground;
  }

  get plan(): GroundPlan {
    return this.#plan;
  }

  get endpoints(): readonly string[] {
    return [...this.#places.keys()];
  }

  /** Lets time pass for all meters; when the next one comes back to the network, 0 when none is away. */
  async advance(now: number): Promise<number> {
    this.#now = Math.max(this.#now, now);
    let done = 0;
    for (const place of this.#places.values()) {
      if (place.meter.advance(this.#now)) this.#changed.add(place);
      if (++done % BATCH === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#kept();
    const returns = [...this.#places.values()].flatMap(({ faults }) =>
      this.#isAway(faults) ? [faults.away?.until ?? 0] : [],
    );
    return returns.reduce((next, until) => (next === 0 ? until : Math.min(next, until)), 0);
  }

  /**
   * Does something at a meter that can be reached now; resolves when it is kept. @throws SefleetError
   * `GROUND_METER_UNAVAILABLE`, `GROUND_METER_NOT_FOUND`.
   */
  async at<T>(endpoint: string, act: (meter: VirtualMeter) => T): Promise<T> {
    const place = this.#reach(endpoint);
    const result = act(place.meter);
    this.#changed.add(place);
    await this.#kept();
    return result;
  }

  /**
   * Runs a script of APDUs on the card that answers for a meter, with what happens on the way; resolves when
   * what the card did is kept. @throws SefleetError as {@link Ground.at}
   */
  async exchange(endpoint: string, commands: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const place = this.#reach(endpoint);
    this.#changed.add(place);
    const answers: Uint8Array[] = [];
    try {
      for (const command of commands) {
        const answer = transmit(place, command);
        answers.push(answer);
        if (!isProcessed(decodeResponse(answer).sw)) break;
      }
    } finally {
      await this.#kept();
    }
    return answers;
  }

  /** Every meter with all that it sealed. */
  *collect() {
    for (const [endpoint, { meter, exchanges, faults }] of this.#places) {
      yield {
        endpoint,
        card: meter.card,
        records: meter.records,
        exchanges,
        faults: faults.names,
        ...meter.truth(),
      };
    }
  }

  #put(kept: KeptMeter): void {
    const { number, endpoint, recordsApplet, memory, count, earlier, records, exchanges } = kept;
    const { seed, startAt, intervalMs, cutOverAt, metric } = this.#plan;
    const faults = faultsOf(this.#plan.faults, seed, endpoint, cutOverAt);
    const card = importCard(kept.card, { rng: this.#rng });
    const answering = kept.other === undefined ? card : importCard(kept.other, { rng: this.#rng });
    const { leapWh, rollsOver } = faults;
    const fate = { at: cutOverAt, leapWh, rollsOver };
    const register = new RegisterModel(seed, endpoint, startAt, intervalMs, fate);
    const { driftMs } = faults;
    const schedule = { startAt, intervalMs, driftMs, metric };
    const meter = new VirtualMeter({ endpoint, card, recordsApplet, register, ...schedule });
    meter.restore(memory, records);
    this.#places.set(endpoint, {
      number,
      endpoint,
      recordsApplet,
      meter,
      faults,
      answering,
      exchanges: [...exchanges],
      count,
      earlier,
      kept: {
        records: records.length,
        exchanges: exchanges.length,
        card: card.revision,
        answering: answering.revision,
      },
    });
  }

  /**
   * Resolves when all that has happened so far is on disk; what happens in one turn goes there together. A
   * ground whose disk has failed says nothing any more: nobody could believe it after a restart.
   */
  #kept(): Promise<void> {
    this.#keeping ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
      const changes = [...this.#changed].map((place) => changeOf(place, 'since it was kept'));
      this.#changed.clear();
      this.#store.keep(changes, this.#now);
      this.#keeping = undefined;
    });
    return this.#keeping;
  }

  #isAway({ away }: PlayedFaults): boolean {
    return away !== undefined && this.#now >= away.from && this.#now < away.until;
  }

  #reach(endpoint: string): Place {
    const place = this.#places.get(endpoint);
    if (place === undefined) throw groundError('GROUND_METER_NOT_FOUND', `no meter ${endpoint}`);
    if (this.#isAway(place.faults)) throw groundError('GROUND_METER_UNAVAILABLE', `${endpoint} is away`);
    return place;
  }
}

/** What is to be kept of a meter, which counts as kept from here on. */
function changeOf(place: Place, what: 'all' | 'since it was kept'): MeterChange {
  const { number, meter, answering, count, earlier, kept } = place;
  const isNew = ({ revision }: SecureElement, before: number): boolean =>
    what === 'all' || revision !== before;
  const change = {
    number,
    state: { memory: meter.memory, count, earlier },
    card: isNew(meter.card, kept.card) ? exportCard(meter.card) : undefined,
    other: answering !== meter.card && isNew(answering, kept.answering) ? exportCard(answering) : undefined,
    records: meter.records.slice(kept.records),
    exchanges: place.exchanges.slice(kept.exchanges),
  };
  place.kept = {
    records: meter.records.length,
    exchanges: place.exchanges.length,
    card: meter.card.revision,
    answering: answering.revision,
  };
  return change;
}

function transmit(place: Place, command: Uint8Array): Uint8Array {
  const { faults, answering } = place;
  place.count++;
  if (place.count === faults.powerCutAt) {
    answering.reset();
    throw groundError('GROUND_METER_UNAVAILABLE', 'the power was cut');
  }
  if (place.count === faults.replayAt) replay(place);
  place.earlier = [...place.earlier.slice(1 - EARLIER), command];
  const answer = answering.transmit(command);
  place.exchanges.push(digestOf(command, answer));
  if (place.count === faults.duplicateAt)
    place.exchanges.push(digestOf(command, answering.transmit(command)));
  if (place.count === faults.lostAnswerAt)
    throw groundError('GROUND_METER_UNAVAILABLE', 'the answer was lost');
  return answer;
}

/** Somebody on the way sends everything again that went by. */
function replay({ answering, earlier, exchanges }: Place): void {
  for (const command of earlier) exchanges.push(digestOf(command, answering.transmit(command)));
}

/** As the evidence digests exchanges: length in four bytes and bytes of command and response. */
function digestOf(command: Uint8Array, response: Uint8Array): Uint8Array {
  const hash = createHash('sha256');
  for (const part of [command, response]) {
    const { length } = part;
    hash.update(Uint8Array.of(length >>> 24, length >> 16, length >> 8, length)).update(part);
  }
  return hash.digest();
}
