import { createHash } from 'node:crypto';
import { goesOn, type DeviceCard } from '../device/device-card.ts';
import { simulationError } from '../errors.ts';
import type { CommandFault, MeterFaults } from './meter-faults.ts';

/** What a card's owners' commands pass on their way, and what happens to them there. */
export interface ExchangeWayPorts {
  readonly faults: MeterFaults;
  /** The card that answers; another one than the meter's when the swap of cards is played. */
  readonly card: () => Pick<DeviceCard, 'transmit' | 'reset'>;
  /** The meter loses its power, and comes back. */
  readonly reboot: () => void;
  /** Keeps digests of what the card saw. */
  readonly keep: (digests: readonly Uint8Array[]) => void;
}

/** Commands that somebody on the way remembers. */
const REMEMBERED = 12;

/** The last stretch of the way to a card, inside the meter. */
export class ExchangeWay {
  readonly #ports: ExchangeWayPorts;
  #count: number;
  #earlier: readonly Uint8Array[] = [];

  /** @param count commands that have come this way before */
  constructor(ports: ExchangeWayPorts, count: number) {
    this.#ports = ports;
    this.#count = count;
  }

  /**
   * Hands a script to the card, up to the first command that it refuses.
   *
   * @throws SefleetError `SIM_CARD_UNUSABLE` when the meter lost its power: nobody gets an answer
   */
  exchange(commands: readonly Uint8Array[]): readonly Uint8Array[] {
    const seen: Uint8Array[] = [];
    const answers: Uint8Array[] = [];
    try {
      for (const command of commands) {
        const answer = this.#transmit(command, seen);
        answers.push(answer);
        if (!goesOn(answer)) break;
      }
    } finally {
      this.#ports.keep(seen);
    }
    return answers;
  }

  #transmit(command: Uint8Array, seen: Uint8Array[]): Uint8Array {
    const { card } = this.#ports;
    this.#count++;
    if (this.#isNow('power-cut')) {
      card().reset();
      throw this.#lost('the power was cut');
    }
    if (this.#isNow('replay')) for (const earlier of this.#earlier) this.#ask(earlier, seen);
    this.#earlier = [...this.#earlier.slice(1 - REMEMBERED), command];
    const answer = this.#ask(command, seen);
    if (this.#isNow('duplicate')) this.#ask(command, seen);
    if (this.#isNow('lost-ack')) throw this.#lost('the answer was lost');
    return answer;
  }

  #ask(command: Uint8Array, seen: Uint8Array[]): Uint8Array {
    const answer = this.#ports.card().transmit(command);
    seen.push(digestOf(command, answer));
    return answer;
  }

  #isNow(fault: CommandFault): boolean {
    return this.#ports.faults.at[fault] === this.#count;
  }

  #lost(message: string): Error {
    this.#ports.reboot();
    return simulationError('SIM_CARD_UNUSABLE', message);
  }
}

/** As evidence digests exchanges: length in four bytes and bytes of command and response. */
function digestOf(command: Uint8Array, response: Uint8Array): Uint8Array {
  const hash = createHash('sha256');
  for (const part of [command, response]) {
    const length = new DataView(new ArrayBuffer(4));
    length.setUint32(0, part.length);
    hash.update(new Uint8Array(length.buffer)).update(part);
  }
  return hash.digest();
}
