/**
 * Random, mutated and badly protected commands against the card. `node test/load/fuzz-se.ts [--commands
 * 200000] [--seed 1]`
 *
 * It ends with exit code 5 on the first breach: an exception, 6F00, a response of less than two bytes, or a
 * change of state after a bad MAC. The last line says how the status words were spread and how the heap grew.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { bytesEqual, toHex } from '@sefleet/bytes';
import {
  aidBytes,
  decodeApdu,
  encodeApdu,
  getStatusCommand,
  INS,
  selectCommand,
  STATUS_SCOPE,
} from '@sefleet/globalplatform';
import type { SecureChannelSession } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { exportCard, importCard, IOT_SAFE_INSTANCE, ISSUER_SECURITY_DOMAIN } from '@sefleet/secure-element';
import type { SecureElement } from '@sefleet/secure-element';
import { manufacture, METERING, openDomain, randomKeys, SUPPLIER } from './se/factory.ts';

const { values } = parseArgs({
  options: { commands: { type: 'string', default: '200000' }, seed: { type: 'string', default: '1' } },
});

/** A fresh card after so many commands, so that a terminated one does not end the search. */
const COMMANDS_PER_CARD = 2000;
const BREACH = 5;
const INSTRUCTIONS: readonly number[] = [
  ...Object.values(INS),
  0x20,
  0x22,
  0x24,
  0x2b,
  0x2c,
  0x2d,
  0x46,
  0x48,
  0x4a,
  0x84,
  0xb0,
  0xb9,
  0xcd,
];
const TAGS = [
  0x4f, 0x83, 0x84, 0x85, 0x86, 0x90, 0x95, 0xa1, 0xa6, 0xc9, 0xd0, 0xd1, 0xd2, 0xd3, 0xe1, 0xe2, 0xe5, 0x9e,
  0xb6,
];

const rng = seeded(values.seed);
const issuerKeys = randomKeys(rng);
const keys = randomKeys(rng);
const image = exportCard(await manufacture(rng, issuerKeys, keys, 'urn:dev:fuzz'));
const statusWords = new Map<number, number>();
const heapBefore = process.memoryUsage().heapUsed;
const started = performance.now();
const total = Number(values.commands);
let sent = 0;
while (sent < total) sent += await attackOneCard(Math.min(COMMANDS_PER_CARD, total - sent));
report();

async function attackOneCard(count: number): Promise<number> {
  const card = importCard(image, { rng });
  let session: SecureChannelSession | undefined;
  for (let i = 0; i < count; i++) {
    if (i % 20 === 0) session = await settle(card, i);
    if (session !== undefined && i % 20 < 16) await inSession(session);
    else if (pick(8) === 0) badMac(card);
    else exchange(card, randomApdu());
  }
  return count;
}

/** A selection or a session to start from; undefined when the card no longer gives one. */
async function settle(card: SecureElement, i: number): Promise<SecureChannelSession | undefined> {
  card.reset();
  const [domain, domainKeys] = i % 40 === 0 ? [SUPPLIER, keys] : [ISSUER_SECURITY_DOMAIN, issuerKeys];
  try {
    if (i % 60 === 0) {
      const applet = i % 120 === 0 ? METERING : IOT_SAFE_INSTANCE;
      exchange(card, encodeApdu(selectCommand(aidBytes(applet))));
      return undefined;
    }
    return await openDomain(card, domain, domainKeys, rng);
  } catch {
    // Earlier commands may have locked or deleted what this needs.
    return undefined;
  }
}

/** A random command under a good MAC: past the secure messaging, into the handlers. */
async function inSession(session: SecureChannelSession): Promise<void> {
  let command;
  try {
    command = decodeApdu(randomApdu());
  } catch {
    return;
  }
  if (command.data.length > 200) return;
  try {
    const { sw } = await session.transmit({ ...command, cla: 0x80 });
    count(sw);
    if (sw === 0x6f00) breach('6F00', encodeApdu(command));
  } catch {
    // The session is over; the next one comes a few commands later.
  }
}

/** A command whose MAC is wrong changes nothing, whatever it asks for. */
function badMac(card: SecureElement): void {
  const command = getStatusCommand(STATUS_SCOPE.APPLICATIONS);
  const ins = INSTRUCTIONS[pick(INSTRUCTIONS.length)] ?? command.ins;
  if (ins === INS.INITIALIZE_UPDATE || ins === INS.SELECT) return;
  const before = card.revision;
  const imageBefore = pick(20) === 0 ? exportCard(card) : undefined;
  exchange(card, encodeApdu({ ...command, cla: 0x84, ins, data: rng.bytes(8 + pick(64)) }));
  const same = imageBefore === undefined || bytesEqual(imageBefore, exportCard(card));
  if (card.revision !== before || !same) breach('a bad MAC changed the card', command.data);
}

function exchange(card: SecureElement, apdu: Uint8Array): void {
  let response: Uint8Array;
  try {
    response = card.transmit(apdu);
  } catch (error) {
    return breach(`an exception: ${String(error)}`, apdu);
  }
  if (response.length < 2) return breach('no status word', apdu);
  const sw = ((response.at(-2) ?? 0) << 8) | (response.at(-1) ?? 0);
  if (sw === 0x6f00) return breach('6F00', apdu);
  return count(sw);
}

function randomApdu(): Uint8Array {
  if (pick(10) === 0) return rng.bytes(pick(300));
  const cla = [0x00, 0x80, 0x84, 0x80, 0x00, 0x90, 0x01, 0x40][pick(pick(8) + 1)] ?? 0;
  const ins = INSTRUCTIONS[pick(INSTRUCTIONS.length)] ?? 0;
  const [p1, p2] =
    pick(3) === 0 ? rng.bytes(2) : [[0x00, 0x80, 0x40, 0x0c, 0x20, 0x10, 0x02, 0x90, 0x88][pick(9)], pick(3)];
  const data = pick(3) === 0 ? rng.bytes(pick(255)) : randomTlvs(3);
  const le = pick(2) === 0 ? { le: 1 + pick(256) } : {};
  const apdu = encodeApdu({ cla, ins, p1: p1 ?? 0, p2: p2 ?? 0, data, ...le });
  if (pick(6) === 0) apdu[pick(apdu.length)] = pick(256);
  return pick(12) === 0 ? apdu.subarray(0, pick(apdu.length + 1)) : apdu;
}

function randomTlvs(depth: number): Uint8Array {
  const parts: number[] = [];
  for (let n = pick(4); n > 0; n--) {
    const value = depth > 0 && pick(3) === 0 ? randomTlvs(depth - 1) : randomValue();
    if (pick(5) > 0) parts.push(TAGS[pick(TAGS.length)] ?? 0x4f);
    parts.push(pick(15) === 0 ? pick(256) : value.length & 0x7f, ...value);
  }
  return Uint8Array.from(parts.slice(0, 230));
}

function randomValue(): Uint8Array {
  const known = [SUPPLIER, METERING, ISSUER_SECURITY_DOMAIN, IOT_SAFE_INSTANCE][pick(8)];
  return known === undefined ? rng.bytes(pick(34)) : aidBytes(known);
}

function count(sw: number): void {
  statusWords.set(sw, (statusWords.get(sw) ?? 0) + 1);
}

function breach(what: string, apdu: Uint8Array): never {
  console.error(`breach: ${what}; seed ${values.seed}, after ${sent} commands: ${toHex(apdu)}`);
  process.exit(BREACH);
}

function report(): void {
  const seconds = (performance.now() - started) / 1000;
  const spread = [...statusWords].toSorted((a, b) => b[1] - a[1]).slice(0, 16);
  const grown = (process.memoryUsage().heapUsed - heapBefore) / 1_048_576;
  console.log(
    `${sent} commands, ${Math.round(sent / seconds)}/s, heap ${grown.toFixed(1)} MiB more, no breach`,
  );
  console.log(spread.map(([sw, times]) => `${sw.toString(16)}: ${times}`).join('  '));
}

function pick(below: number): number {
  return Math.floor(rng.fraction() * below);
}

function seeded(seed: string): Rng {
  let pool = new Uint8Array(0);
  let counter = 0;
  const bytes = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length;) {
      if (pool.length === 0)
        pool = Uint8Array.from(createHash('sha512').update(`${seed}/${counter++}`).digest());
      const part = pool.subarray(0, length - at);
      out.set(part, at);
      at += part.length;
      pool = pool.subarray(part.length);
    }
    return out;
  };
  const fraction = (): number => {
    const [a = 0, b = 0, c = 0] = bytes(3);
    return (a * 65536 + b * 256 + c) / 16_777_216;
  };
  return { bytes, fraction };
}
