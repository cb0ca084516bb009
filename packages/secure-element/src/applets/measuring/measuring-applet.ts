import { createHash } from 'node:crypto';
import { ByteReader, ByteWriter, bytesEqual } from '@sefleet/bytes';
import { decodeTelemetryRecord, metricNamed } from '@sefleet/cose';
import {
  aid,
  decodeDgis,
  decodeTlvs,
  encodeTlv,
  R_ENCRYPTION,
  requireTlv,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { Aid, CommandApdu, Dgi } from '@sefleet/globalplatform';
import { refuse } from '../../card/refusal.ts';
import { defineApplet } from '../applet.ts';
import type { Answer, AppletContext, AppletProgram, Reading } from '../applet.ts';
import { HAND_OVER_TAG, MEASURING_COMMAND, MEASURING_TAG } from './measuring-protocol.ts';
import {
  readMeasuringState,
  registerOf,
  writeMeasuringState,
  type MeasuringState,
  type OwnCodec,
  type Registers,
} from './measuring-state.ts';

/** A reading that the card has accepted, and the registers around it. */
export interface Measured {
  readonly reading: Reading;
  readonly before: Registers;
  readonly after: Registers;
  /** See {@link MeasuringDefinition.capacity}. */
  readonly capacity: number;
}

/** What makes one measuring applet differ from another. */
export interface MeasuringDefinition<Own> extends OwnCodec<Own> {
  readonly module: Aid;
  readonly name: string;
  /** Names of the metrics whose readings only ever grow. */
  readonly growing: readonly string[];
  /** At this count a register that grows begins at 0 again; without it, never. */
  readonly capacity?: number;
  /** The state of a new instance, and of one that has a new owner. */
  readonly initial: Own;
  /** What a reading changes, and values that the card itself adds to the record. */
  measure(own: Own, measured: Measured): { readonly own: Own; readonly added?: Reading['values'] };
  /** The state for a new owner, from what it staged for the applet; `measured` is the cut-over reading. */
  handOver(parameters: Uint8Array, measured: Measured): Own;
  /** The objects that only the owner sees. */
  describe(own: Own, registers: Registers): Uint8Array;
  /** The owner's personalisation. */
  readonly store?: (own: Own, dgis: readonly Dgi[], registers: Registers) => Own;
  /** The owner's CLEAR. */
  readonly clear?: (own: Own) => Own;
  /** The device's REPORT. */
  readonly report?: (own: Own, data: Uint8Array) => Own;
}

/**
 * An applet that seals readings for the stakeholder that its Security Domain belongs to. What all of them
 * have in common is here: numbering, registers that never run backwards, the cut-over, and who may see what.
 */
export function defineMeasuringApplet<Own>(definition: MeasuringDefinition<Own>): AppletProgram {
  const core = new MeasuringCore(definition);
  return defineApplet<MeasuringState<Own>>({
    module: definition.module,
    name: definition.name,
    install: () => ({ sequence: 0, registers: [], handedOver: undefined, own: definition.initial }),
    process: (command, context) => core.process(command, context),
    store: (data, _p1, context) => core.store(data, context),
    encode: (state) => {
      const writer = new ByteWriter(64);
      writeMeasuringState(writer, state, definition);
      return writer.finish();
    },
    decode: (bytes) => readMeasuringState(new ByteReader(bytes), definition),
  });
}

type Context<Own> = AppletContext<MeasuringState<Own>>;

const NO_DATA = new Uint8Array(0);
/** Beyond it a register of whole units could not count by one any more, and sums would not add up. */
const MAX_REGISTER = Number.MAX_SAFE_INTEGER;

class MeasuringCore<Own> {
  readonly #definition: MeasuringDefinition<Own>;
  readonly #growing: ReadonlySet<number>;

  constructor(definition: MeasuringDefinition<Own>) {
    this.#definition = definition;
    this.#growing = new Set(definition.growing.map((name) => metricNamed(name)?.id ?? 0));
  }

  process(command: CommandApdu, context: Context<Own>): Answer {
    if (command.cla !== 0x80) return refuse(STATUS_WORD.CLA_NOT_SUPPORTED);
    const { clear, report } = this.#definition;
    switch (command.ins) {
      case MEASURING_COMMAND.SEAL:
        return this.#seal(command, context);
      case MEASURING_COMMAND.STATUS:
        return this.#status(context);
      case MEASURING_COMMAND.HAND_OVER:
        return this.#handOver(command, context);
      case MEASURING_COMMAND.CLEAR:
        if (clear === undefined) return refuse(STATUS_WORD.INS_NOT_SUPPORTED);
        if (!context.fromOwner) refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
        return change(context, clear(context.state.own));
      case MEASURING_COMMAND.REPORT:
        if (report === undefined) return refuse(STATUS_WORD.INS_NOT_SUPPORTED);
        return change(context, report(context.state.own, command.data));
      default:
        return refuse(STATUS_WORD.INS_NOT_SUPPORTED);
    }
  }

  /** The owner alone: neither the domain that made the applet nor a stakeholder that has handed over. */
  store(data: Uint8Array, context: Context<Own>): Answer {
    const { store } = this.#definition;
    if (store === undefined || !context.fromOwner) return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    return change(context, store(context.state.own, decodeDgis(data), context.state.registers));
  }

  #seal({ data, p1, p2 }: CommandApdu, context: Context<Own>): Answer {
    if (p1 !== 0 || p2 !== 0) refuse(STATUS_WORD.INCORRECT_P1_P2);
    const { state } = context;
    const measured = this.#measured(state, data);
    const { reading, after } = measured;
    const { own, added } = this.#definition.measure(state.own, measured);
    const values = added === undefined ? reading.values : [...reading.values, ...added];
    const { sequence, sealed } = context.sealing.seal({ ...reading, values }, state.sequence);
    context.setCounter({ sequence, registers: after, handedOver: undefined, own });
    return sealed;
  }

  #handOver({ data, p1, p2 }: CommandApdu, context: Context<Own>): Answer {
    if (p1 !== 0 || p2 !== 0) refuse(STATUS_WORD.INCORRECT_P1_P2);
    const { state } = context;
    const digest = createHash('sha256').update(data).digest();
    if (state.handedOver !== undefined && bytesEqual(state.handedOver.digest, digest)) {
      return state.handedOver.answer;
    }
    const objects = decodeTlvs(data);
    const measured = this.#measured(state, requireTlv(objects, HAND_OVER_TAG.RECORD));
    const request = {
      successor: aid(requireTlv(objects, HAND_OVER_TAG.SUCCESSOR)),
      activation: requireTlv(objects, HAND_OVER_TAG.ACTIVATION),
      reading: measured.reading,
    };
    const done = context.sealing.handOver(request, state.sequence);
    const answer = Buffer.concat([
      encodeTlv(HAND_OVER_TAG.CLOSING, done.closing),
      encodeTlv(HAND_OVER_TAG.OPENING, done.opening),
    ]);
    context.state = {
      sequence: done.sequence,
      registers: measured.after,
      handedOver: { digest: Uint8Array.from(digest), answer: Uint8Array.from(answer) },
      own: this.#definition.handOver(done.parameters, measured),
    };
    return answer;
  }

  /**
   * A reading as the device gives it, and the registers after it; 6985 when one would run backwards, 6A80
   * when it is none that a register can show.
   */
  #measured({ registers }: MeasuringState<Own>, data: Uint8Array): Measured {
    const { sequence, ...reading } = decodeTelemetryRecord(data);
    if (sequence !== 0) refuse(STATUS_WORD.WRONG_DATA);
    const { capacity = Number.POSITIVE_INFINITY } = this.#definition;
    let after = registers;
    for (const [metric, value] of reading.values) {
      if (!this.#growing.has(metric)) continue;
      if (value < 0 || value > MAX_REGISTER) refuse(STATUS_WORD.WRONG_DATA);
      const at = after.findIndex(([id]) => id === metric);
      const before = after[at]?.[1];
      if (before !== undefined && grown(before, value, capacity) < 0)
        refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
      after = at < 0 ? [...after, [metric, value]] : after.with(at, [metric, value]);
    }
    return { reading, before: registers, after, capacity };
  }

  #status(context: Context<Own>): Uint8Array {
    const { state } = context;
    const { account } = context.sealing;
    const parts = [
      encodeTlv(MEASURING_TAG.SEQUENCE, counterBytes(state.sequence)),
      encodeTlv(MEASURING_TAG.CLOSED, Uint8Array.of(account === undefined || account.closed ? 1 : 0)),
    ];
    if (account !== undefined) {
      const { stakeholder, keyVersion: v, endpoint, firstSequence } = account;
      parts.push(encodeTlv(MEASURING_TAG.STAKEHOLDER, Buffer.from(stakeholder)));
      parts.push(encodeTlv(MEASURING_TAG.KEY_VERSION, Uint8Array.of(v >>> 24, v >> 16, v >> 8, v)));
      parts.push(encodeTlv(MEASURING_TAG.ENDPOINT, Buffer.from(endpoint)));
      parts.push(encodeTlv(MEASURING_TAG.FIRST_SEQUENCE, counterBytes(firstSequence)));
    }
    if (context.fromOwner && (context.securityLevel & R_ENCRYPTION) !== 0) {
      parts.push(encodeTlv(MEASURING_TAG.OWN, this.#definition.describe(state.own, state.registers)));
    }
    return Buffer.concat(parts);
  }
}

function change<Own>(context: Context<Own>, own: Own): Uint8Array {
  context.state = { ...context.state, own };
  return NO_DATA;
}

function counterBytes(value: number): Uint8Array {
  const writer = new ByteWriter(6);
  return writer.u48(value).finish();
}

/** The growth of a register by a reading; undefined before its second one. */
export function growthOf({ before, after, capacity }: Measured, metric: number): number | undefined {
  const [from, until] = [registerOf(before, metric), registerOf(after, metric)];
  return from === undefined || until === undefined ? undefined : grown(from, until, capacity);
}

/**
 * What a register grew by, less than 0 for one that ran backwards. One that was close to its capacity and is
 * close to 0 has rolled over; from anywhere else nobody may turn it back.
 */
function grown(before: number, after: number, capacity: number): number {
  if (after >= before || !Number.isFinite(capacity)) return after - before;
  const rolledOver = after + capacity - before;
  return before < capacity && rolledOver <= capacity * ROLLOVER_SHARE ? rolledOver : after - before;
}

/** More than this share of its capacity no register grows between two readings. */
const ROLLOVER_SHARE = 0.01;
