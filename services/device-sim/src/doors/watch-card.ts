import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { secureElement } from '@sefleet/api';
import type { Clock } from '@sefleet/runtime';
import type { CardDoor } from '../device/card-watch.ts';
import type { BenchCard } from './card-directory.ts';

type Message = MessageInitShape<typeof secureElement.WatchCardResponseSchema>;
type WatchEvent = NonNullable<Message['event']>;

/** Some seconds of a busy card: a reader that is slower than that is told how much it missed. */
const MAX_WAITING = 1024;

const DOORS: Readonly<Record<CardDoor, secureElement.CardDoor>> = {
  device: secureElement.CardDoor.DEVICE,
  management: secureElement.CardDoor.MANAGEMENT,
  visitor: secureElement.CardDoor.VISITOR,
};

/** What passes at a card, until the caller has seen enough or the device is gone. */
export async function* watchCard(
  card: BenchCard,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Message> {
  const at = (): Message['at'] => timestampFromMs(clock.wallMs());
  let waiting: Message[] = [];
  let missed = 0;
  let ended = false;
  let wake = Promise.withResolvers<void>();
  const put = (event: WatchEvent): void => {
    if (waiting.length >= MAX_WAITING) missed++;
    else waiting.push({ at: at(), event });
    wake.resolve();
  };
  const leave = card.watch({
    exchanged: (door, exchange) => put({ case: 'exchange', value: { door: DOORS[door], ...exchange } }),
    wasReset: () => put({ case: 'reset', value: true }),
    ended: () => {
      ended = true;
      wake.resolve();
    },
  });
  const onAbort = (): void => wake.resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  put({ case: 'watching', value: true });
  try {
    while (!signal.aborted) {
      await wake.promise;
      wake = Promise.withResolvers<void>();
      const taken = waiting;
      const lost = missed;
      waiting = [];
      missed = 0;
      yield* taken;
      if (lost > 0) yield { at: at(), event: { case: 'missed', value: lost } };
      if (ended && waiting.length === 0 && missed === 0) return;
    }
  } finally {
    leave();
    signal.removeEventListener('abort', onAbort);
  }
}
