/**
 * Random, mutated and badly protected commands, well-formed content management and damaged images against
 * the card. `node test/load/fuzz-se.ts [--commands 200000] [--seed 1]`
 *
 * It ends with exit code 5 on the first breach: an exception, 6F00, a response of less than two bytes, a
 * change of state after a bad MAC or a refusal, a damaged image that does anything but be refused or work,
 * or a heap that keeps growing: what a forced collection leaves at the end may be 4 MiB more than after the
 * first tenth. The last lines say how the status words were spread.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bytesEqual, concatBytes, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  aidBytes,
  decodeApdu,
  encodeApdu,
  getStatusCommand,
  INS,
  selectCommand,
  STATUS_SCOPE,
} from '@sefleet/globalplatform';
import type { CommandApdu, SecureChannelSession } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { exportCard, importCard, IOT_SAFE_INSTANCE, ISSUER_SECURITY_DOMAIN } from '@sefleet/secure-element';
import type { SecureElement } from '@sefleet/secure-element';
import { manufacture, METERING, openDomain, randomKeys, SUPPLIER } from './se/factory.ts';
import { plausibleCommands, spoil } from './se/fuzz-commands.ts';

const { values } = parseArgs({
  options: { commands: { type: 'string', default: '200000' }, seed: { type: 'string', default: '1' } },
});

/** A fresh card after so many commands, so that a terminated one does not end the search. */
const COMMANDS_PER_CARD = 2000;
const BREACH = 5;
/** The table of interned AIDs fills up to its 4,096, which is 1.5 MiB, and compiled code grows a little at first. */
const HEAP_GROWTH_MAX = 4 * 1_048_576;
/** Damaged images for each card that is attacked. */
const IMAGES_PER_CARD = 20;
/** Commands that count before they look: sequence counters and tries last although the command fails. */
const COUNTING: readonly number[] = [INS.INITIALIZE_UPDATE, 0x20];
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
const images = { refused: 0, used: 0 };
// As --expose-gc does, without the command having to say so.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void; // what the flag puts there
const started = performance.now();
const total = Number(values.commands);
let heapAfterStart: number | undefined;
let sent = 0;
while (sent < total) {
  sent += await attackOneCard(Math.min(COMMANDS_PER_CARD, total - sent));
  attackImages();
  if (heapAfterStart === undefined && sent >= total / 10) heapAfterStart = retainedBytes();
}
report();

async function attackOneCard(count: number): Promise<number> {
  const card = importCard(image, { rng });
  let session: SecureChannelSession | undefined;
  for (let i = 0; i < count; i++) {
    if (i % 20 === 0) session = await settle(card, i);
    if (session !== undefined && i % 20 < 12) await manage(card, session);
    else if (session !== undefined && i % 20 < 16) await inSession(card, session);
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

/** Commands that a host could have meant, whole or spoiled. */
async function manage(card: SecureElement, session: SecureChannelSession): Promise<void> {
  for (const command of plausibleCommands(session, rng)) {
    const tried = pick(3) === 0 ? spoil(command, rng) : command;
    if (tried.data.length <= 220 && !(await sendProtected(card, session, tried))) return;
  }
}

/** A random command under a good MAC: past the secure messaging, into the handlers. */
async function inSession(card: SecureElement, session: SecureChannelSession): Promise<void> {
  let command;
  try {
    command = decodeApdu(randomApdu());
  } catch {
    return;
  }
  if (command.data.length <= 200) await sendProtected(card, session, { ...command, cla: 0x80 });
}

/** False when the session is over. A refused command leaves the memory as it was. */
async function sendProtected(
  card: SecureElement,
  session: SecureChannelSession,
  command: CommandApdu,
): Promise<boolean> {
  const before = card.revision;
  let sw: number;
  try {
    ({ sw } = await session.transmit(command));
  } catch (error) {
    if (!isSefleetError(error)) return breach(`an exception: ${String(error)}`, encodeApdu(command));
    // The session is over; the next one comes a few commands later.
    return false;
  }
  count(sw);
  if (sw === 0x6f00) breach('6F00', encodeApdu(command));
  const counts = COUNTING.includes(command.ins);
  if (sw >> 12 === 6 && sw >> 8 !== 0x63 && card.revision !== before && !counts) {
    breach(`a command that was refused with ${sw.toString(16)} changed the card`, encodeApdu(command));
  }
  return true;
}

/** Images with other bytes in them and a right check value: refused, or cards that work. */
function attackImages(): void {
  for (let i = 0; i < IMAGES_PER_CARD; i++) {
    const body = image.slice(0, -8);
    for (let n = 1 + pick(4); n > 0; n--) body[5 + pick(body.length - 5)] = pick(256);
    const cut = pick(8) === 0 ? body.subarray(0, pick(body.length)) : body;
    const damaged = concatBytes(cut, createHash('sha256').update(cut).digest().subarray(0, 8));
    let card: SecureElement;
    try {
      card = importCard(damaged, { rng });
    } catch (error) {
      const known =
        isSefleetError(error, 'SE_IMAGE_MALFORMED') || isSefleetError(error, 'SE_PROFILE_UNKNOWN');
      if (!known) breach(`an image: ${String(error)}`, damaged);
      images.refused++;
      continue;
    }
    for (const application of card.applications) {
      exchange(card, encodeApdu(selectCommand(aidBytes(application))));
      exchange(card, randomApdu());
    }
    exportCard(card);
    images.used++;
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
  const first = heapAfterStart ?? retainedBytes();
  const grown = retainedBytes() - first;
  const mib = (bytes: number): string => (bytes / 1_048_576).toFixed(2);
  console.log(
    `${sent} commands, ${Math.round(sent / seconds)}/s, ${images.refused} damaged images refused, ` +
      `${images.used} used; heap after a forced collection ${mib(first)} MiB, ${mib(grown)} MiB more at the end`,
  );
  console.log(spread.map(([sw, times]) => `${sw.toString(16)}: ${times}`).join('  '));
  if (grown > HEAP_GROWTH_MAX) {
    console.error(`breach: the heap grew by ${mib(grown)} MiB, and ${mib(HEAP_GROWTH_MAX)} MiB are allowed`);
    process.exit(BREACH);
  }
  console.log('no breach');
}

/** The heap and the buffers outside of it, once everything that nobody holds is gone. */
function retainedBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
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
