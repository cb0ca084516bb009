import { once } from 'node:events';
import { SefleetError } from '@sefleet/errors';
import type { StreamConnection } from '@sefleet/runtime';
import { connectStream, listenStream } from '@sefleet/runtime/node';
import { insertCard, type InsertedCard } from '@sefleet/vpcd';
import { usageError, type Verb } from '../command-line.ts';
import { visitCard, type CardVisit } from '../secure-element/card-visit.ts';
import { withBackend } from './fleet.ts';

/** Where Debian's vpcd waits for cards: 0x8C7B. */
const VPCD_PORT = '35963';

/**
 * The reader has a second slot one port higher, and its driver ends the whole daemon when nobody is there: a
 * card that knows no command sits in it.
 */
const MUTE_CARD: InsertedCard = {
  atr: Uint8Array.of(0x3b, 0x00),
  powerOn: () => {},
  powerOff: () => {},
  reset: () => {},
  transmit: () => Uint8Array.of(0x6d, 0x00),
};

export const seAttach: Verb = {
  name: 'se attach',
  summary: 'put a card into the virtual smartcard reader of pcscd, until Ctrl-C',
  positionals: '<endpoint>',
  options: {
    vpcd: { type: 'boolean', doc: 'the reader is vsmartcard-vpcd' },
    port: { type: 'string', value: 'port', default: VPCD_PORT, doc: 'TCP port of the reader on 127.0.0.1' },
    listen: {
      type: 'boolean',
      doc: 'wait for the reader instead (DEVICENAME 127.0.0.1:<port>); takes port + 1 too',
    },
  },
  examples: [
    'sefleet se attach urn:dev:sefleet:meter-000001 --vpcd',
    'sefleet se attach urn:dev:sefleet:meter-000001 --vpcd --listen --port 35963',
  ],
  run: (parsed) => {
    const [endpoint] = parsed.positionals;
    if (endpoint === undefined) throw usageError('which card?', 'List them: sefleet se list');
    if (!parsed.flag('vpcd'))
      throw usageError('which reader?', 'Add --vpcd: it is the one that is supported.');
    const port = parsed.integer('port', 1, 65_535);
    return withBackend(async (backend) => {
      const visit = await visitCard(backend, endpoint);
      const signal = interrupted();
      try {
        if (parsed.flag('listen')) await waitForReader(visit, endpoint, port, signal);
        else await goToReader(visit, endpoint, port, signal);
      } finally {
        visit.leave();
      }
    });
  },
};

async function goToReader(
  visit: CardVisit,
  endpoint: string,
  port: number,
  signal: AbortSignal,
): Promise<void> {
  let connection: StreamConnection;
  try {
    connection = await connectStream({ address: '127.0.0.1', port });
  } catch (cause) {
    throw new SefleetError(
      'CLI_READER_UNREACHABLE',
      'environment',
      `no virtual reader at 127.0.0.1:${port}`,
      {
        cause,
        hint: 'Install vsmartcard-vpcd and start pcscd.',
      },
    );
  }
  const ended = Promise.withResolvers<void>();
  insert(visit, connection, ended.resolve);
  console.log(`${endpoint} is in the reader; Ctrl-C takes it out`);
  signal.addEventListener('abort', () => connection.close());
  await ended.promise;
}

async function waitForReader(
  visit: CardVisit,
  endpoint: string,
  port: number,
  signal: AbortSignal,
): Promise<void> {
  const listener = await listenStream({ address: '127.0.0.1', port, maxConnections: 1 }, (connection) =>
    insert(visit, connection, () => {}),
  );
  console.log(`${endpoint} waits for the reader at 127.0.0.1:${port}; Ctrl-C takes it out`);
  const second = await listenStream(
    { address: '127.0.0.1', port: port + 1, maxConnections: 1 },
    (connection) => insertCard(connection, MUTE_CARD, () => {}),
  );
  if (!signal.aborted) await once(signal, 'abort');
  await Promise.all([listener.close(), second.close()]);
}

function insert(visit: CardVisit, connection: StreamConnection, onEnd: () => void): void {
  const reset = (): void => {
    visit.reset().catch(() => connection.close());
  };
  insertCard(
    connection,
    {
      atr: visit.answerToReset,
      powerOn: reset,
      powerOff: () => {},
      reset,
      transmit: (command) => visit.transmit(command),
    },
    onEnd,
  );
}

function interrupted(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  process.once('SIGTERM', () => controller.abort());
  return controller.signal;
}
