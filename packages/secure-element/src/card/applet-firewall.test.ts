import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  aid,
  aidBytes,
  installCommand,
  installForExtraditionCommand,
  installForLoadCommand,
  installForPersonalizationCommand,
  loadCommands,
  openScp03Session,
  plainLink,
  withToken,
} from '@sefleet/globalplatform';
import type { Aid, CardLink, StaticKeys } from '@sefleet/globalplatform';
import { defineApplet } from '../applets/applet.ts';
import type { AppletContext } from '../applets/applet.ts';
import { METERING_LOAD_FILE, METERING_MODULE } from '../applets/metering/identifiers.ts';
import { encodePackage } from '../applets/package.ts';
import { VEHICLE_LOAD_FILE, VEHICLE_MODULE } from '../applets/vehicle/identifiers.ts';
import { VITAL_SIGNS_LOAD_FILE, VITAL_SIGNS_MODULE } from '../applets/vital-signs/identifiers.ts';
import {
  clearCommand,
  ownerStatusCommand,
  readMeterRegisters,
  readVehicleDiagnostics,
  readVitalSignsAlarm,
  tariffCommands,
  vitalBoundsCommands,
} from '../clients/measuring-owner.ts';
import { cutOverOrder, RecordsClient } from '../clients/records-client.ts';
import {
  ISSUER_KEYS,
  makeDomain,
  open,
  OTHER_SUPPLIER,
  seededRng,
  select,
  send,
  sendAll,
  statusOf,
  testKeys,
} from '../testing/card-fixture.ts';
import type { CardDoor } from '../testing/card-fixture.ts';
import { MEASURING_INSTANCE, measuringCard, openOnApplet, OWNER_KEYS } from '../testing/measuring-fixture.ts';
import {
  CUT_OVER,
  METER_APPLET,
  meterBeforeCutOver,
  NEW_SUPPLIER,
  OLD_SUPPLIER,
  PARTIES,
  TSM,
} from '../testing/switch-fixture.ts';
import { exportCard } from './create-card.ts';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';

const { oldSupplier, newSupplier, issuer, tsm } = PARTIES;
const OTHER_KEYS = testKeys('other supplier');
const TARIFF = { offsetMinutes: 0, switches: [{ days: 0x7f, minute: 0, rate: 1 }] };
const BOUNDS = [{ metric: 64, low: 41, high: 130 }];

const KINDS = [
  { name: 'metering', loadFile: METERING_LOAD_FILE, module: METERING_MODULE, read: readMeterRegisters },
  { name: 'vehicle', loadFile: VEHICLE_LOAD_FILE, module: VEHICLE_MODULE, read: readVehicleDiagnostics },
  { name: 'vitals', loadFile: VITAL_SIGNS_LOAD_FILE, module: VITAL_SIGNS_MODULE, read: readVitalSignsAlarm },
] as const;

/** Personalisation of each kind; one of them is right for an applet. */
function personalisations(instance: Uint8Array) {
  return [...tariffCommands(instance, TARIFF), ...vitalBoundsCommands(instance, BOUNDS)];
}

for (const { name, read, ...code } of KINDS) {
  test(`${name}: what the applet keeps is shown in the owner’s encrypted session and nowhere else`, async () => {
    const card = await measuringCard(code);
    await makeDomain(card, OTHER_SUPPLIER, OTHER_KEYS);
    const owner = await openOnApplet(card);
    assert.notEqual(read(await send(owner, ownerStatusCommand())), undefined);
    for (const level of [0x01, 0x03, 0x11, 0x13] as const) {
      const weaker = await openOnApplet(card, OWNER_KEYS, level);
      assert.equal(read(await send(weaker, ownerStatusCommand())), undefined, `level ${level}`);
    }
    await select(card, MEASURING_INSTANCE);
    const plain = plainLink(card.transmit);
    assert.equal(read(await send(plain, ownerStatusCommand())), undefined);
    assert.equal(await statusOf(plain, clearCommand()), name === 'metering' ? '6d00' : '6982');
    for (const keys of [ISSUER_KEYS, OTHER_KEYS]) {
      await assert.rejects(openOnApplet(card, keys), (error) =>
        isSefleetError(error, 'GP_CARD_NOT_AUTHENTIC'),
      );
    }
  });

  test(`${name}: nobody but the owner personalises the applet`, async () => {
    const card = await measuringCard(code);
    await makeDomain(card, OTHER_SUPPLIER, OTHER_KEYS);
    const instance = aidBytes(MEASURING_INSTANCE);
    const intruders: readonly (readonly [Aid, StaticKeys])[] = [
      [ISSUER_SECURITY_DOMAIN, ISSUER_KEYS],
      [OTHER_SUPPLIER, OTHER_KEYS],
    ];
    for (const [domain, keys] of intruders) {
      const session = await open(card, domain, keys);
      const before = exportCard(card);
      assert.equal(await statusOf(session, installForPersonalizationCommand(instance)), '6985');
      // Without it, STORE DATA goes to the intruder's own domain, which knows no such groupings.
      for (const command of personalisations(instance)) {
        if (command.ins === 0xe2) assert.equal(await statusOf(session, command), '6a80');
      }
      assert.deepEqual(exportCard(card), before);
    }
  });
}

test('keys that a domain inherits do not make their holder the owner of its applets', async () => {
  const card = await measuringCard(KINDS[0]);
  const domain = aid('A00000015153504177');
  const instance = aid('F07365666C65657401BB');
  const root = await open(card);
  const install = (loadFile: string, module: string, name: Aid, privileges: number, parameters: string) =>
    installCommand({
      loadFile: fromHex(loadFile),
      module: fromHex(module),
      instance: aidBytes(name),
      privileges,
      parameters: fromHex(parameters),
    });
  await send(root, install('A0000001515350', 'A000000151535041', domain, 0x800000, 'c90482022020'));
  await send(root, install(METERING_LOAD_FILE, METERING_MODULE, instance, 0, 'c900'));
  await send(root, installForExtraditionCommand(aidBytes(domain), aidBytes(instance)));
  await select(card, instance);
  const domainAid = aidBytes(domain);
  const rng = seededRng('issuer');
  const inherited = await openScp03Session({
    transmit: card.transmit,
    keys: ISSUER_KEYS,
    rng,
    level: 0x33,
    domainAid,
  });
  assert.equal(readMeterRegisters(await send(inherited, ownerStatusCommand())), undefined);
  const above = await open(card, domain);
  const [personalize, store] = tariffCommands(aidBytes(instance), TARIFF);
  assert.ok(personalize !== undefined && store !== undefined);
  await send(above, personalize);
  assert.equal(await statusOf(above, store), '6985');
});

/** An applet that looks for everything that its interface leads to, and answers with what it found. */
const SPY_LOAD_FILE = aid('F0AABBCCDD02');
const SPY_MODULE = aid('F0AABBCCDD0201');
const SPY_INSTANCE = aid('F0AABBCCDD020101');
let loot: Uint8Array[] = [];

const SPY = defineApplet<number>({
  module: SPY_MODULE,
  name: 'spy',
  install: () => 0,
  process: (command, context) => {
    loot = reachable(context);
    try {
      const order = { successor: NEW_SUPPLIER, activation: CUT_OVER.activation };
      const reading = { timestampMs: CUT_OVER.instantMs, values: [[1, 1]] } as const;
      if (command.p1 === 1) context.sealing.handOver({ ...order, reading }, 0);
      return command.p1 === 2 ? context.sealing.seal(reading, 0).sealed : new Uint8Array(0);
    } finally {
      loot.push(...reachable(context));
    }
  },
  encode: () => new Uint8Array(0),
  decode: () => 0,
});

/** All bytes and texts that properties and getters lead to, from the context on. */
function reachable(context: AppletContext<number>): Uint8Array[] {
  const found: Uint8Array[] = [];
  const seen = new Set<unknown>();
  const visit = (value: unknown, depth: number): void => {
    if (typeof value === 'string') found.push(Buffer.from(value), Buffer.from(value, 'hex'));
    if (value === null || (typeof value !== 'object' && typeof value !== 'function') || seen.has(value))
      return;
    seen.add(value);
    if (value instanceof Uint8Array) return void found.push(value);
    for (let at: unknown = value; at !== null && at !== Object.prototype && depth < 12;) {
      for (const key of Reflect.ownKeys(at as object)) {
        try {
          visit(Reflect.get(value as object, key), depth + 1);
        } catch {
          // A getter that needs another receiver leads nowhere.
        }
      }
      at = Object.getPrototypeOf(at);
    }
  };
  visit(context, 0);
  return found;
}

async function cardWithSpy(owner: Aid) {
  const card = await meterBeforeCutOver({ applets: [SPY] });
  const root = await open(card);
  await send(root, installForLoadCommand({ loadFile: aidBytes(SPY_LOAD_FILE) }));
  const code = encodePackage(SPY_LOAD_FILE, { version: fromHex('0100'), modules: [SPY_MODULE] });
  await sendAll(root, loadCommands({ daps: [], code }));
  const install = installCommand({
    loadFile: aidBytes(SPY_LOAD_FILE),
    module: aidBytes(SPY_MODULE),
    instance: aidBytes(SPY_INSTANCE),
    privileges: 0,
    parameters: fromHex('c900'),
  });
  await send(root, install);
  await send(root, installForExtraditionCommand(aidBytes(owner), aidBytes(SPY_INSTANCE)));
  return card;
}

async function askSpy(card: CardDoor, p1: number): Promise<string> {
  await select(card, SPY_INSTANCE);
  const command = { cla: 0x80, ins: 0x01, p1, p2: 0, data: new Uint8Array(0), le: 0x100 };
  return await statusOf(plainLink(card.transmit), command);
}

const SECRETS = [
  oldSupplier.recordKey,
  newSupplier.recordKey,
  CUT_OVER.activation,
  ...[oldSupplier.keys, newSupplier.keys, tsm.keys, ISSUER_KEYS].flatMap((keys) => Object.values(keys)),
  issuer.receiptKey,
];

for (const owner of [OLD_SUPPLIER, NEW_SUPPLIER, ISSUER_SECURITY_DOMAIN]) {
  test(`an applet finds no key in all that it can reach, in the domain ${owner}`, async () => {
    const card = await cardWithSpy(owner);
    assert.equal(await askSpy(card, 0), '9000');
    const finds = (text: string): boolean => loot.some((bytes) => Buffer.from(bytes).includes(text));
    assert.equal(finds('northern-power'), owner === OLD_SUPPLIER, 'it finds its own stakeholder’s name');
    assert.equal(finds('southern-power'), owner === NEW_SUPPLIER);
    for (const secret of SECRETS) {
      assert.ok(!loot.some((bytes) => Buffer.from(bytes).includes(secret)));
    }
    assert.equal(await askSpy(card, 1), '6985', 'another applet’s grant is not its own, secret or not');
    const sealing = await askSpy(card, 2);
    assert.equal(sealing, owner === OLD_SUPPLIER ? '9000' : '6985', 'it seals for its own domain alone');
    for (const secret of SECRETS) {
      assert.ok(!loot.some((bytes) => Buffer.from(bytes).includes(secret)));
    }
  });
}

test('before the instant the new supplier sees nothing of the applet, afterwards the old one nothing', async () => {
  const card = await meterBeforeCutOver();
  const meter = new RecordsClient(card.transmit, METER_APPLET);
  const old = await open(card, OLD_SUPPLIER, oldSupplier.keys);
  await sendAll(old, tariffCommands(aidBytes(METER_APPLET), TARIFF));
  meter.seal({ timestampMs: 1, values: [[1, 100]] });
  const fresh = await open(card, NEW_SUPPLIER, newSupplier.keys);
  assert.equal(await statusOf(fresh, installForPersonalizationCommand(aidBytes(METER_APPLET))), '6985');
  await assert.rejects(onMeter(card, newSupplier.keys), isSefleetError);
  assert.notEqual(readMeterRegisters(await statusIn(await onMeter(card, oldSupplier.keys))), undefined);

  meter.handOver(cutOverOrder(NEW_SUPPLIER, CUT_OVER.activation), {
    timestampMs: CUT_OVER.instantMs,
    values: [[1, 250]],
  });
  meter.seal({ timestampMs: 3000, values: [[1, 260]] });
  assert.equal(readMeterRegisters(await statusIn(await onMeter(card, oldSupplier.keys))), undefined);
  const late = await open(card, OLD_SUPPLIER, oldSupplier.keys);
  const [personalize, store] = tariffCommands(aidBytes(METER_APPLET), TARIFF);
  assert.ok(personalize !== undefined && store !== undefined);
  await send(late, personalize);
  assert.equal(await statusOf(late, store), '6985', 'its tariff is none any more');

  const link = await open(card, TSM, tsm.keys);
  const move = installForExtraditionCommand(aidBytes(NEW_SUPPLIER), aidBytes(METER_APPLET));
  await send(link, withToken(move, issuer.tokenKey));
  await assert.rejects(onMeter(card, oldSupplier.keys), isSefleetError);
  const registers = readMeterRegisters(await statusIn(await onMeter(card, newSupplier.keys, NEW_SUPPLIER)));
  assert.equal(registers?.totals.get(1), 260);
  assert.ok(
    [...(registers?.ratesWh.values() ?? [])].every((wh) => wh === 0),
    'no trace of the old tariff',
  );
});

async function onMeter(card: CardDoor, keys: StaticKeys, domain: Aid = OLD_SUPPLIER): Promise<CardLink> {
  await select(card, METER_APPLET);
  const domainAid = aidBytes(domain);
  const rng = seededRng('supplier');
  return await openScp03Session({ transmit: card.transmit, keys, rng, level: 0x33, domainAid });
}

async function statusIn(link: CardLink): Promise<Uint8Array> {
  return await send(link, ownerStatusCommand());
}
