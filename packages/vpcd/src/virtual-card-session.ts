import type { StreamConnection } from '@sefleet/runtime';
import { encodeFrame, FrameSplitter } from './frame.ts';

/** The card that sits in the virtual reader. */
export interface InsertedCard {
  /** Answer to reset (ISO 7816-3), at most 33 bytes. */
  readonly atr: Uint8Array;
  powerOn(): void;
  powerOff(): void;
  reset(): void;
  /** One command, one answer with its status word. */
  transmit(command: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** One-byte frames are commands to the card slot; longer ones are APDUs. */
const CONTROL = { powerOff: 0x00, powerOn: 0x01, reset: 0x02, atr: 0x04 } as const;

/** Status word for a card that failed to answer: no precise diagnosis (ISO 7816-4 §5.6). */
const NO_PRECISE_DIAGNOSIS = Uint8Array.of(0x6f, 0x00);

/** Commands that wait while the card works; the reader sends one at a time, so more is a fault of its. */
const WAITING_MAX = 64;

/**
 * Puts a card into the reader at the other end of the stream; it is taken out when the stream ends.
 *
 * @param onEnd is told once, when the reader has let go of the card.
 */
export function insertCard(connection: StreamConnection, card: InsertedCard, onEnd: () => void): void {
  const splitter = new FrameSplitter();
  const waiting: Uint8Array[] = [];
  let working = false;
  const work = async (): Promise<void> => {
    working = true;
    for (let frame = waiting.shift(); frame !== undefined; frame = waiting.shift()) {
      const answer = await handleFrame(card, frame);
      if (answer !== undefined) connection.write(encodeFrame(answer));
    }
    working = false;
  };
  connection.listen({
    data: (data) => {
      waiting.push(...splitter.push(data));
      if (waiting.length > WAITING_MAX) connection.close();
      else if (!working) void work();
    },
    closed: () => {
      waiting.length = 0;
      card.powerOff();
      onEnd();
    },
  });
}

async function handleFrame(card: InsertedCard, frame: Uint8Array): Promise<Uint8Array | undefined> {
  if (frame.length !== 1) {
    try {
      return await card.transmit(frame);
    } catch {
      return NO_PRECISE_DIAGNOSIS;
    }
  }
  switch (frame[0]) {
    case CONTROL.powerOn:
      card.powerOn();
      return undefined;
    case CONTROL.powerOff:
      card.powerOff();
      return undefined;
    case CONTROL.reset:
      card.reset();
      return undefined;
    case CONTROL.atr:
      return card.atr;
    default:
      return undefined;
  }
}
