import { createHash } from 'node:crypto';
import { decodeResponse, isProcessed, type Aid } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { importCard, type SecureElement } from '@sefleet/secure-element';
import { groundError } from './errors.ts';
import { faultsOf, type PlayedFaults } from './played-faults.ts';
import { RegisterModel } from './register-model.ts';
import { VirtualMeter } from './virtual-meter.ts';

/** How a ground is laid out. */
export interface GroundPlan {
  readonly seed: string;
  readonly startAt: number;
  readonly intervalMs: number;
  readonly cutOverAt: number;
  /** What the registers count, as records name it. */
  readonly metric: number;
  readonly faults: ReadonlyMap<string, number>;
}

/** A card as the factory delivered it. */
export interface DeliveredCard {
  readonly endpoint: string;
  readonly image: Uint8Array;
  /** The applet that seals records for the supplier. */
  readonly recordsApplet: Aid;
}

interface Place {
  readonly meter: VirtualMeter;
  readonly faults: PlayedFaults;
  /** The card that answers; the meter's, unless it was swapped. */
  readonly answering: SecureElement;
  readonly exchanges: Uint8Array[];
  count: number;
  /** The last commands, for replays. */
  earlier: readonly Uint8Array[];
}

/** Meters per turn of the event loop while time passes. */
const BATCH = 64;
/** Commands that somebody on the way remembers. */
const EARLIER = 12;

/** All meters of a rehearsal, and what happens on the way to them. */
export class Ground {
  readonly #plan: GroundPlan;
  readonly #rng: Rng;
  readonly #places = new Map<string, Place>();
  #now: number;

  constructor(plan: GroundPlan, rng: Rng) {
    this.#plan = plan;
    this.#rng = rng;
    this.#now = plan.startAt;
  }

  /** Puts a meter up. `other` is a card that answers in its place when the swap of cards is played. */
  putUp(delivered: DeliveredCard, other: Uint8Array | undefined): void {
    const { seed, startAt, intervalMs, cutOverAt } = this.#plan;
    const { endpoint, recordsApplet } = delivered;
    const faults = this.faultsOf(endpoint);
    const card = importCard(delivered.image, { rng: this.#rng });
    const register = new RegisterModel(seed, endpoint, startAt, intervalMs, {
      at: cutOverAt,
      wh: faults.leapWh,
    });
    const { driftMs } = faults;
    const meter = new VirtualMeter({
      endpoint,
      card,
      recordsApplet,
      register,
      startAt,
      intervalMs,
      driftMs,
      metric: this.#plan.metric,
    });
    const answering = other === undefined ? card : importCard(other, { rng: this.#rng });
    this.#places.set(endpoint, { meter, faults, answering, exchanges: [], count: 0, earlier: [] });
  }

  /** The faults that are played on a meter. */
  faultsOf(endpoint: string): PlayedFaults {
    return faultsOf(this.#plan.faults, this.#plan.seed, endpoint, this.#plan.cutOverAt);
  }

  /** Lets time pass for all meters; when the next one comes back to the network, 0 when none is away. */
  async advance(now: number): Promise<number> {
    this.#now = Math.max(this.#now, now);
    let done = 0;
    for (const { meter } of this.#places.values()) {
      meter.advance(this.#now);
      if (++done % BATCH === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const returns = [...this.#places.values()].flatMap(({ faults }) =>
      this.#isAway(faults) ? [faults.away?.until ?? 0] : [],
    );
    return returns.reduce((next, until) => (next === 0 ? until : Math.min(next, until)), 0);
  }

  /**
   * A meter that can be reached now. @throws SefleetError `GROUND_METER_UNAVAILABLE`,
   * `GROUND_METER_NOT_FOUND`.
   */
  reach(endpoint: string): VirtualMeter {
    const { meter, faults } = this.#place(endpoint);
    if (this.#isAway(faults)) throw groundError('GROUND_METER_UNAVAILABLE', `${endpoint} is away`);
    return meter;
  }

  /** Runs a script of APDUs on the card that answers for a meter, with what happens on the way. */
  exchange(endpoint: string, commands: readonly Uint8Array[]): Uint8Array[] {
    this.reach(endpoint);
    const place = this.#place(endpoint);
    const answers: Uint8Array[] = [];
    for (const command of commands) {
      const answer = this.#transmit(place, command);
      answers.push(answer);
      if (!isProcessed(decodeResponse(answer).sw)) break;
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

  #transmit(place: Place, command: Uint8Array): Uint8Array {
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

  #isAway({ away }: PlayedFaults): boolean {
    return away !== undefined && this.#now >= away.from && this.#now < away.until;
  }

  #place(endpoint: string): Place {
    const place = this.#places.get(endpoint);
    if (place === undefined) throw groundError('GROUND_METER_NOT_FOUND', `no meter ${endpoint}`);
    return place;
  }
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
