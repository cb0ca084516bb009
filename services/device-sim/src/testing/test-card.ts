import { createHash } from 'node:crypto';
import { fromHex } from '@sefleet/bytes';
import { deriveRecordKey } from '@sefleet/cose';
import {
  aid,
  aidBytes,
  encodeApdu,
  installCommand,
  openScp03Session,
  PRIVILEGE,
  putKeysCommand,
  selectCommand,
  type Aid,
  type CommandApdu,
} from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import {
  createCard,
  cutOverOrder,
  exportCard,
  FIRMWARE_AUTHORITY_KEY,
  IOT_SAFE_INSTANCE,
  IOT_SAFE_LOAD_FILE,
  IOT_SAFE_MODULE,
  IotSafeClient,
  iotSafePersonalisationCommands,
  ISSUER_SECURITY_DOMAIN,
  METERING_LOAD_FILE,
  METERING_MODULE,
  recordAccountCommands,
  SECURITY_DOMAIN_LOAD_FILE,
  SECURITY_DOMAIN_MODULE,
  STANDARD_PROFILE,
} from '@sefleet/secure-element';
import { simulationError } from '../errors.ts';
import { TEST_FIRMWARE_AUTHORITY } from './test-firmware.ts';

/** Containers of a test card, as a factory lays them out. */
export const TEST_CONTAINER = { bootstrapPsk: 1, managementPsk: 2, deviceKey: 3 } as const;
/** The stakeholder that a test card seals for, and its record master key. */
export const TEST_STAKEHOLDER = 'northern-power';
export const TEST_RECORD_MASTER: Uint8Array = fromHex('000102030405060708090a0b0c0d0e0f');

const METERING_INSTANCE = fromHex('f05345464c54020111');
const SUCCESSOR = aid('f05345464c540201ff');
const ISSUER_KEY = fromHex('404142434445464748494a4b4c4d4e4f');

/** The pre-shared key of a test device's account. */
export function testPsk(endpoint: string, account: 'bootstrap' | 'management'): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(`${account} ${endpoint}`).digest().subarray(0, 16));
}

/** A card with PSKs and a metering applet, all of it in the Issuer Security Domain. */
export async function createTestCard(endpoint: string, rng: Rng): Promise<Uint8Array> {
  const digest = createHash('sha256').update(endpoint).digest();
  const keys = { enc: ISSUER_KEY, mac: ISSUER_KEY, dek: ISSUER_KEY };
  const card = createCard(
    STANDARD_PROFILE,
    {
      diversificationData: Uint8Array.from(digest.subarray(0, 10)),
      issuerIdentification: Uint8Array.of(1),
      cardImageNumber: Uint8Array.from(digest.subarray(10, 18)),
      issuerKeys: { ...keys, version: 0x30 },
    },
    { rng },
  );
  const transmit = (apdu: Uint8Array): Uint8Array => card.transmit(apdu);
  const session = await openSession(transmit, rng);
  const iotSafe = aidBytes(IOT_SAFE_INSTANCE);
  const install = (loadFile: Uint8Array, module: Uint8Array, instance: Uint8Array): CommandApdu =>
    installCommand({ loadFile, module, instance, privileges: 0, parameters: Uint8Array.of(0xc9, 0x00) });
  const secret = (id: number, account: 'bootstrap' | 'management') =>
    ({ kind: 'secret', id: Uint8Array.of(id), label: account, value: testPsk(endpoint, account) }) as const;
  const deviceKey = Uint8Array.of(TEST_CONTAINER.deviceKey);
  const commands = [
    install(aidBytes(IOT_SAFE_LOAD_FILE), aidBytes(IOT_SAFE_MODULE), iotSafe),
    install(aidBytes(METERING_LOAD_FILE), aidBytes(METERING_MODULE), METERING_INSTANCE),
    ...iotSafePersonalisationCommands(session, iotSafe, [
      secret(TEST_CONTAINER.bootstrapPsk, 'bootstrap'),
      secret(TEST_CONTAINER.managementPsk, 'management'),
      {
        kind: 'public-key',
        id: FIRMWARE_AUTHORITY_KEY,
        label: 'firmware authority',
        publicKey: TEST_FIRMWARE_AUTHORITY,
      },
      { kind: 'key-pair', privateId: deviceKey, publicId: deviceKey, label: 'device key' },
    ]),
  ];
  await sendAll(session, commands);
  await giveToStakeholder(transmit, endpoint, TEST_STAKEHOLDER, rng);
  const client = new IotSafeClient(transmit);
  client.generateKeyPair(deviceKey);
  client.close();
  card.reset();
  return exportCard(card);
}

/** Has the metering applet of a test card seal for `stakeholder` from now on. */
export async function giveToStakeholder(
  transmit: (apdu: Uint8Array) => Uint8Array,
  endpoint: string,
  stakeholder: string,
  rng: Rng,
): Promise<void> {
  const session = await openSession(transmit, rng);
  const recordKey = deriveRecordKey(TEST_RECORD_MASTER, endpoint);
  const account = { stakeholder, keyVersion: 1, endpoint, recordKey };
  await sendAll(session, recordAccountCommands(session, account));
}

/**
 * Stages the cut-over to another stakeholder: its domain, and its record account for the instant. What the
 * device has to be given.
 */
export async function stageCutOver(
  transmit: (apdu: Uint8Array) => Uint8Array,
  endpoint: string,
  stakeholder: string,
  instantMs: number,
  rng: Rng,
): Promise<Uint8Array> {
  const issuer = await openSession(transmit, rng);
  const domain = installCommand({
    loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE),
    module: aidBytes(SECURITY_DOMAIN_MODULE),
    instance: aidBytes(SUCCESSOR),
    privileges: PRIVILEGE.SECURITY_DOMAIN,
    parameters: Uint8Array.of(0xc9, 0x00),
  });
  await sendAll(issuer, [domain]);
  const inherited = await openSession(transmit, rng, SUCCESSOR);
  const keys = { enc: ISSUER_KEY, mac: ISSUER_KEY, dek: ISSUER_KEY };
  await sendAll(inherited, [putKeysCommand(inherited, keys, { newVersion: 0x31 })]);
  const session = await openSession(transmit, rng, SUCCESSOR);
  const activation = rng.bytes(16);
  const application = aid(METERING_INSTANCE);
  const recordKey = deriveRecordKey(TEST_RECORD_MASTER, endpoint);
  const grant = { application, instantMs, activation };
  await sendAll(
    session,
    recordAccountCommands(session, { stakeholder, keyVersion: 1, endpoint, recordKey, grant }),
  );
  return cutOverOrder(SUCCESSOR, activation);
}

function openSession(
  transmit: (apdu: Uint8Array) => Uint8Array,
  rng: Rng,
  domain: Aid = ISSUER_SECURITY_DOMAIN,
): ReturnType<typeof openScp03Session> {
  const domainAid = aidBytes(domain);
  transmit(encodeApdu(selectCommand(domainAid)));
  const keys = { enc: ISSUER_KEY, mac: ISSUER_KEY, dek: ISSUER_KEY };
  return openScp03Session({ transmit, keys, level: 0x01, rng, domainAid });
}

async function sendAll(
  session: Awaited<ReturnType<typeof openScp03Session>>,
  commands: readonly CommandApdu[],
): Promise<void> {
  for (const command of commands) {
    const { sw } = await session.transmit(command);
    if (sw !== 0x9000) throw simulationError('SIM_CARD_UNUSABLE', `test card: ${sw.toString(16)}`);
  }
}
