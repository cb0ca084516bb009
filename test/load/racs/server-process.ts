/** A RACS server over mutual TLS with parked cards of four images; the parent says how many. */
import { once } from 'node:events';
import { createTableAccess, LockTable, serveRacsConnection } from '@sefleet/racs';
import type { ServedSecureElement } from '@sefleet/racs';
import { createNodeRuntime, listenStream } from '@sefleet/runtime/node';
import { exportCard, importCard } from '@sefleet/secure-element';
import type { SecureElement } from '@sefleet/secure-element';
import { manufacture, randomKeys } from '../se/factory.ts';
import type { RacsReport, RacsSetUp } from './protocol.ts';

const IMAGES = 4;
const ANSWER_TO_RESET = Uint8Array.of(0x3b, 0x00);
let apdus = 0;
const [setUp] = (await once(process, 'message')) as [RacsSetUp]; // the parent's first message
const runtime = createNodeRuntime();
const { rng } = runtime;
const issuerKeys = randomKeys(rng);
const keys = randomKeys(rng);
const images: Uint8Array[] = [];
for (let i = 0; i < IMAGES; i++) {
  images.push(exportCard(await manufacture(rng, issuerKeys, keys, `urn:dev:x-${i}`)));
}
const cards = new Map<string, SecureElement>();
for (let i = 0; i < setUp.cards; i++) {
  cards.set(`card-${i}`, importCard(images[i % IMAGES] ?? new Uint8Array(0), { rng }));
}
const context = {
  access: createTableAccess({ users: { 'racs-client': ['*'] } }),
  locks: new LockTable(),
  directory: { seids: () => cards.keys(), find: served },
};
const options = { runtime, silenceMs: 300_000 };
const listener = await listenStream(
  { address: '127.0.0.1', port: 0, tls: { authority: setUp.authority, ...setUp.server } },
  (connection) => {
    const { identity } = connection.peer;
    if (identity.kind === 'x509') serveRacsConnection(connection, context, identity.commonName, options);
    else connection.close();
  },
);
const before = process.cpuUsage();
process.on('message', () => {
  const { user, system } = process.cpuUsage(before);
  const report: RacsReport = {
    cpuSeconds: (user + system) / 1e6,
    rssBytes: process.memoryUsage().rss,
    apdus,
  };
  process.send?.(report);
});
process.send?.({ port: listener.localAddress().port });

function served(seid: string): ServedSecureElement | undefined {
  const card = cards.get(seid);
  if (card === undefined) return undefined;
  const reset = (): Uint8Array => {
    card.reset();
    return ANSWER_TO_RESET;
  };
  return {
    powerOn: reset,
    reset,
    transmit: (apdu) => {
      apdus++;
      return card.transmit(apdu);
    },
    powerOff: () => {
      card.reset();
      card.park();
    },
  };
}
