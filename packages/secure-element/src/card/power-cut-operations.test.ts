/** Every operation that writes, with the power cut at each of its writes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, fromHex, toHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  combinedInstallCommands,
  decodeCertificate,
  deleteCommand,
  deleteKeyCommand,
  ecPoint,
  encodeAllowList,
  encodeKeyGroupings,
  encodeSecurityDomainParameters,
  encodeTlv,
  getDataCommand,
  INS,
  installCommand,
  installForExtraditionCommand,
  installForLoadCommand,
  installForPersonalizationCommand,
  installForRegistryUpdateCommand,
  loadCommands,
  plainLink,
  PRIVILEGE,
  putKeysCommand,
  putPublicKeyCommand,
  putSymmetricKeyCommand,
  readScenario3Challenge,
  Scenario3Agreement,
  scenario2bCommand,
  scenario3CertificateCommand,
  SCENARIO3_PARAMETER,
  SET_STATUS_SCOPE,
  setStatusCommand,
  storeDataCommands,
  withToken,
} from '@sefleet/globalplatform';
import { BOOTSTRAP_LOAD_FILE, BOOTSTRAP_MODULE, PKCS15_INSTANCE } from '../applets/bootstrap/identifiers.ts';
import { IOT_SAFE_INSTANCE, IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE } from '../applets/iot-safe/identifiers.ts';
import { IOT_SAFE_INS, IOT_SAFE_TAG } from '../applets/iot-safe/iot-safe-protocol.ts';
import { generateKeyPair, P256 } from '../applets/iot-safe/curves.ts';
import { encodePoint, encodePublicKey } from '../applets/iot-safe/public-keys.ts';
import { MEASURING_COMMAND } from '../applets/measuring/measuring-protocol.ts';
import { encodePackage } from '../applets/package.ts';
import { METERING_LOAD_FILE, METERING_MODULE } from '../applets/metering/identifiers.ts';
import { VEHICLE_LOAD_FILE, VEHICLE_MODULE } from '../applets/vehicle/identifiers.ts';
import { bootstrapPersonalisationCommands } from '../clients/bootstrap-client.ts';
import { IotSafeClient } from '../clients/iot-safe-client.ts';
import { iotSafePersonalisationCommands } from '../clients/iot-safe-personalisation.ts';
import { clearCommand, tariffCommands } from '../clients/measuring-owner.ts';
import { recordAccountCommands } from '../clients/record-account.ts';
import { cutOverOrder, RecordsClient } from '../clients/records-client.ts';
import {
  cardWithApplet,
  installDomain,
  newCard,
  open,
  seededRng,
  select,
  send,
  sendAll,
  SUPPLIER,
  testKeys,
} from '../testing/card-fixture.ts';
import type { CardDoor } from '../testing/card-fixture.ts';
import { MEASURING_INSTANCE, measuringCard, openOnApplet } from '../testing/measuring-fixture.ts';
import {
  AUTHORITY,
  CARD_UNIQUE_DATA,
  CUT_OVER,
  meterInTheField,
  METER_APPLET,
  NEW_SUPPLIER,
  NEW_SUPPLIER_CERTIFICATE,
  OLD_SUPPLIER,
  PARTIES,
  stagedAccount,
  TSM,
} from '../testing/switch-fixture.ts';
import { exportCard, importCard } from './create-card.ts';
import type { Commit, SecureElement } from './secure-element.ts';

const KEYS = testKeys('supplier');
const FRESH = aid('A00000015153504155');
const LOAD_FILE = aid('F07365666C656574F4');
const MODULE = METERING_MODULE;
const VERIFY = 0x20;
const SHARED = { authentication: testKeys('KS.CASD').mac, confidentiality: testKeys('KS.CASD').enc };

/** Something done to a card that writes, from a card that is ready for it. */
interface Operation {
  readonly name: string;
  prepare(): Promise<SecureElement>;
  act(card: CardDoor): Promise<void>;
}

const iotSafePlace = { loadFile: IOT_SAFE_LOAD_FILE, module: IOT_SAFE_MODULE, instance: IOT_SAFE_INSTANCE };

const OPERATIONS: readonly Operation[] = [
  {
    name: 'keys of a domain come, change and go, by PUT KEY and by STORE DATA',
    prepare: freshDomain,
    act: keyLife,
  },
  {
    name: 'load files and applications come and go, one by one and in a combined process',
    prepare: freshDomain,
    act: contentLife,
  },
  { name: 'life cycles of card, domain and application', prepare: () => meterInTheField(), act: lifeCycles },
  { name: 'data and lists of a domain', prepare: freshDomain, act: domainData },
  { name: 'a supplier switch', prepare: () => meterInTheField(), act: supplierSwitch },
  { name: 'keys that an authority pushes', prepare: cardWithSharedKeys, act: pushKeys },
  { name: 'containers of IoT SAFE', prepare: () => cardWithApplet(iotSafePlace, KEYS), act: iotSafe },
  { name: 'a bootstrap file behind a PIN', prepare: cardWithBootstrap, act: bootstrapPin },
  {
    name: 'readings, tariffs and trouble codes',
    prepare: () => measuringCard({ loadFile: VEHICLE_LOAD_FILE, module: VEHICLE_MODULE }),
    act: vehicle,
  },
  {
    name: 'a tariff and readings by it',
    prepare: () => measuringCard({ loadFile: METERING_LOAD_FILE, module: METERING_MODULE }),
    act: metering,
  },
];

/** Instructions of Security Domains and applets that never write. */
const READING: readonly number[] = [
  INS.SELECT,
  INS.MANAGE_CHANNEL,
  INS.GET_RESPONSE,
  INS.GET_DATA,
  INS.GET_DATA_ODD,
  INS.GET_STATUS,
  INS.EXTERNAL_AUTHENTICATE,
  INS.INTERNAL_AUTHENTICATE,
  INS.PERFORM_SECURITY_OPERATION,
  MEASURING_COMMAND.STATUS,
  IOT_SAFE_INS.COMPUTE_SIGNATURE_UPDATE,
  IOT_SAFE_INS.VERIFY_SIGNATURE_INIT,
  IOT_SAFE_INS.VERIFY_SIGNATURE_UPDATE,
  IOT_SAFE_INS.COMPUTE_DH,
  IOT_SAFE_INS.COMPUTE_PRF,
  IOT_SAFE_INS.COMPUTE_HKDF,
  IOT_SAFE_INS.GET_RANDOM,
  IOT_SAFE_INS.READ_FILE,
  IOT_SAFE_INS.READ_PUBLIC_KEY,
];

const written = new Set<number>();

/** Does an operation, and ends it with `power` before its write number `cut`. */
async function run(
  operation: Operation,
  start: Uint8Array,
  cut: number,
  power: RangeError,
): Promise<{ readonly card: SecureElement; readonly images: readonly Uint8Array[] }> {
  const images: Uint8Array[] = [];
  let ins = 0;
  const onCommit = (commit: Commit): void => {
    if (images.length === cut) throw power;
    images.push(commit.image());
    written.add(ins);
  };
  const card = importCard(start, { rng: seededRng('power'), onCommit });
  const door = {
    transmit: (apdu: Uint8Array): Uint8Array => {
      ins = apdu[1] ?? 0;
      return card.transmit(apdu);
    },
  };
  try {
    await operation.act(door);
  } catch (error) {
    if (error !== power) throw error;
  }
  return { card, images };
}

for (const operation of OPERATIONS) {
  test(`${operation.name}: a power cut at any write leaves what the write before left`, async () => {
    const start = exportCard(await operation.prepare());
    const power = new RangeError('the power is gone');
    const { images } = await run(operation, start, Infinity, power);
    assert.ok(images.length > 2);
    for (let cut = 0; cut < images.length; cut++) {
      const { card, images: seen } = await run(operation, start, cut, power);
      const left = seen.at(-1) ?? start;
      assert.equal(seen.length, cut);
      assert.equal(toHex(exportCard(card)), toHex(left), `cut at write ${cut}`);
      importCard(exportCard(card), { rng: seededRng('again') });
    }
  });
}

test('every instruction that writes was among them', () => {
  const known = [
    ...Object.values(INS),
    ...Object.values(IOT_SAFE_INS),
    ...Object.values(MEASURING_COMMAND),
    VERIFY,
  ];
  const missing = known.filter((ins) => !READING.includes(ins) && !written.has(ins));
  assert.deepEqual(missing, []);
});

async function freshDomain(): Promise<SecureElement> {
  const card = newCard();
  await send(await open(card), installDomain(FRESH));
  return card;
}

async function keyLife(card: CardDoor): Promise<void> {
  const inherited = await open(card, FRESH);
  await send(
    inherited,
    putPublicKeyCommand({ point: ecPoint(PARTIES.issuer.tokenKey) }, { newVersion: 0x70, keyId: 1 }),
  );
  await send(inherited, putKeysCommand(inherited, KEYS, { newVersion: 1 }));
  const first = await open(card, FRESH, KEYS);
  await send(first, putSymmetricKeyCommand(first, KEYS.enc, { newVersion: 0x71, keyId: 1 }));
  await send(first, putKeysCommand(first, testKeys('second'), { oldVersion: 1, newVersion: 2 }));
  const second = await open(card, FRESH, testKeys('second'), { keyVersion: 2 });
  const third = testKeys('third');
  const groupings = encodeKeyGroupings(second, [third.enc, third.mac, third.dek], { keyVersion: 5 });
  await sendAll(second, storeDataCommands(groupings, { format: 'dgi', encrypted: true }));
  await send(second, deleteKeyCommand({ keyVersion: 0x71 }));
}

async function contentLife(card: CardDoor): Promise<void> {
  const issuer = await open(card);
  const code = encodePackage(LOAD_FILE, { version: fromHex('0100'), modules: [MODULE] });
  await send(issuer, installForLoadCommand({ loadFile: aidBytes(LOAD_FILE) }));
  await sendAll(issuer, loadCommands({ daps: [], code }));
  const place = { module: aidBytes(MODULE), instance: aidBytes(METER_APPLET), parameters: fromHex('c900') };
  const install = { loadFile: aidBytes(LOAD_FILE), ...place, privileges: 0 };
  await send(issuer, installCommand({ ...install, p1: 0x04 }));
  await send(issuer, installCommand({ ...install, p1: 0x08, parameters: new Uint8Array(0) }));
  const update = { application: aidBytes(METER_APPLET), privileges: fromHex('040000') };
  await send(issuer, installForRegistryUpdateCommand(update));
  await send(issuer, deleteCommand(aidBytes(LOAD_FILE), { related: true }));
  const { beginning, end } = combinedInstallCommands(
    { loadFile: aidBytes(LOAD_FILE) },
    { ...place, privileges: 0 },
  );
  await sendAll(issuer, [beginning, ...loadCommands({ daps: [], code }), end]);
}

async function lifeCycles(card: CardDoor): Promise<void> {
  const issuer = await open(card);
  const { APPLICATION, CARD, DOMAIN_AND_ITS_APPLICATIONS } = SET_STATUS_SCOPE;
  await send(issuer, setStatusCommand(APPLICATION, 0x80, aidBytes(METER_APPLET)));
  await send(issuer, setStatusCommand(DOMAIN_AND_ITS_APPLICATIONS, 0x80, aidBytes(OLD_SUPPLIER)));
  await send(issuer, setStatusCommand(DOMAIN_AND_ITS_APPLICATIONS, 0x00, aidBytes(OLD_SUPPLIER)));
  await send(issuer, setStatusCommand(CARD, 0x7f));
  await send(issuer, setStatusCommand(CARD, 0x0f));
  await send(issuer, setStatusCommand(CARD, 0xff));
}

async function domainData(card: CardDoor): Promise<void> {
  const issuer = await open(card);
  const list = encodeAllowList(0x10, 0x11, [fromHex('0a')]);
  for (const data of [fromHex('5f500101'), list, fromHex('4203490001')])
    await sendAll(issuer, storeDataCommands(data, { format: 'ber-tlv' }));
  await send(issuer, installForPersonalizationCommand(aidBytes(FRESH)));
  await sendAll(issuer, storeDataCommands(fromHex('5f500102'), { format: 'ber-tlv' }));
}

async function supplierSwitch(card: CardDoor): Promise<void> {
  const { issuer, tsm, oldSupplier, newSupplier } = PARTIES;
  await select(card, AUTHORITY);
  const certificate = await send(plainLink(card.transmit), getDataCommand(0x7f21));
  const manager = await open(card, TSM, tsm.keys);
  const once = encodeTlv(0xb6, encodeTlv(0x93, fromHex('000007')));
  const parameters = concatBytes(
    encodeSecurityDomainParameters({ acceptExtraditionHere: fromHex('2020') }),
    once,
  );
  await send(manager, withToken(installDomain(NEW_SUPPLIER, 0, parameters), issuer.tokenKey));
  await send(manager, installForPersonalizationCommand(aidBytes(NEW_SUPPLIER)));
  const challenge = readScenario3Challenge(
    await send(manager, scenario3CertificateCommand(NEW_SUPPLIER_CERTIFICATE)),
  );
  const agreement = new Scenario3Agreement({
    parameters: { parameter: SCENARIO3_PARAMETER.CERTIFICATE, keyVersion: 2, keyId: 1, keyLength: 16 },
    signingKey: newSupplier.signingKey,
    authorityDomainPoint: decodeCertificate(certificate).publicKey,
    ephemeralScalar: seededRng('ephemeral').bytes(32),
  });
  const agreed = agreement.finish(await send(manager, agreement.command(challenge)));
  const first = await open(card, NEW_SUPPLIER, agreed, { keyVersion: 2 });
  await send(first, putKeysCommand(first, newSupplier.keys, { oldVersion: 2, newVersion: 3 }));
  const own = await open(card, NEW_SUPPLIER, newSupplier.keys, { keyVersion: 3 });
  await sendAll(own, recordAccountCommands(own, stagedAccount()));
  const meter = new RecordsClient(card.transmit, METER_APPLET);
  meter.handOver(cutOverOrder(NEW_SUPPLIER, CUT_OVER.activation), {
    timestampMs: CUT_OVER.instantMs,
    values: [[1, 250]],
  });
  meter.close();
  const move = installForExtraditionCommand(aidBytes(NEW_SUPPLIER), aidBytes(METER_APPLET));
  await send(await open(card, TSM, tsm.keys), withToken(move, issuer.tokenKey));
  await send(await open(card, OLD_SUPPLIER, oldSupplier.keys), deleteKeyCommand({ keyVersion: 1 }));
  const end = withToken(deleteCommand(aidBytes(OLD_SUPPLIER)), issuer.tokenKey);
  await send(await open(card, TSM, tsm.keys), end);
}

async function cardWithSharedKeys(): Promise<SecureElement> {
  const card = await freshDomain();
  const capability = encodeSecurityDomainParameters({ controllingAuthority: fromHex('01') });
  await send(await open(card), installDomain(AUTHORITY, PRIVILEGE.GLOBAL_SERVICE, capability));
  const session = await open(card, AUTHORITY);
  const place = (keyId: number) => ({ newVersion: 0x74, keyId });
  await send(session, putSymmetricKeyCommand(session, SHARED.authentication, place(2)));
  await send(session, putSymmetricKeyCommand(session, SHARED.confidentiality, place(3)));
  return card;
}

async function pushKeys(card: CardDoor): Promise<void> {
  const target = { cardUniqueData: CARD_UNIQUE_DATA, domain: aidBytes(FRESH) };
  const issuer = await open(card);
  await send(issuer, installForPersonalizationCommand(aidBytes(FRESH)));
  await send(issuer, scenario2bCommand(KEYS, { keyVersion: 1, keyLength: 16, counter: 7 }, SHARED, target));
  await open(card, FRESH, KEYS);
}

async function iotSafe(card: CardDoor): Promise<void> {
  const session = await open(card, SUPPLIER, KEYS);
  await sendAll(
    session,
    iotSafePersonalisationCommands(session, aidBytes(IOT_SAFE_INSTANCE), [
      { kind: 'secret', id: fromHex('01'), label: 'psk', value: new Uint8Array(16) },
      { kind: 'key-pair', privateId: fromHex('02'), publicId: fromHex('03'), label: 'device' },
      { kind: 'public-key-slot', id: fromHex('05'), label: 'peer' },
    ]),
  );
  new IotSafeClient(card.transmit).generateKeyPair(fromHex('02'));
  const { publicKey } = generateKeyPair(P256, seededRng('peer'));
  await select(card, IOT_SAFE_INSTANCE);
  const plain = plainLink(card.transmit);
  const head = { cla: 0, p1: 0, p2: 1, le: 0x100 };
  const { PUT_PUBLIC_KEY_INIT, PUT_PUBLIC_KEY_UPDATE } = IOT_SAFE_INS;
  const slot = encodeTlv(IOT_SAFE_TAG.PUBLIC_ID, fromHex('05'));
  await send(plain, { ...head, ins: PUT_PUBLIC_KEY_INIT, data: slot });
  const key = encodePublicKey(encodePoint(publicKey));
  await send(plain, { ...head, ins: PUT_PUBLIC_KEY_UPDATE, p1: 0x80, data: key });
}

async function cardWithBootstrap(): Promise<SecureElement> {
  const place = { loadFile: BOOTSTRAP_LOAD_FILE, module: BOOTSTRAP_MODULE, instance: PKCS15_INSTANCE };
  return cardWithApplet(place, KEYS);
}

async function bootstrapPin(card: CardDoor): Promise<void> {
  const session = await open(card, SUPPLIER, KEYS);
  const pin = Buffer.from('1234');
  await sendAll(session, bootstrapPersonalisationCommands(aidBytes(PKCS15_INSTANCE), [], pin));
  await select(card, PKCS15_INSTANCE);
  const plain = plainLink(card.transmit);
  const verify = (value: string) => ({ cla: 0, ins: VERIFY, p1: 0, p2: 0, data: Buffer.from(value) });
  assert.equal((await plain.transmit(verify('1111'))).sw, 0x63c2);
  await send(plain, verify('1234'));
}

async function vehicle(card: CardDoor): Promise<void> {
  const obu = new RecordsClient(card.transmit, MEASURING_INSTANCE);
  obu.seal({ timestampMs: 1, values: [[33, 5000]] });
  obu.reportTroubleCodes([0x0301]);
  await send(await openOnApplet(card), clearCommand());
}

async function metering(card: CardDoor): Promise<void> {
  const session = await open(card, SUPPLIER, KEYS);
  const tariff = { offsetMinutes: 0, switches: [{ days: 0x7f, minute: 0, rate: 1 }] };
  await sendAll(session, tariffCommands(aidBytes(MEASURING_INSTANCE), tariff));
  const meter = new RecordsClient(card.transmit, MEASURING_INSTANCE);
  meter.seal({ timestampMs: 1, values: [[1, 100]] });
  meter.seal({ timestampMs: 2, values: [[1, 101]] });
}
