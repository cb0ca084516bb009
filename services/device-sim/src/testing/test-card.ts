import { createHash } from 'node:crypto';
import { fromHex } from '@sefleet/bytes';
import { deriveRecordKey } from '@sefleet/cose';
import {
  aidBytes,
  encodeApdu,
  installCommand,
  openScp03Session,
  selectCommand,
  type CommandApdu,
} from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import {
  createCard,
  exportCard,
  FIRMWARE_AUTHORITY_KEY,
  IOT_SAFE_INSTANCE,
  IOT_SAFE_LOAD_FILE,
  IOT_SAFE_MODULE,
  IotSafeClient,
  iotSafePersonalisationCommands,
  ISSUER_SECURITY_DOMAIN,
  RECORDS_LOAD_FILE,
  RECORDS_MODULE,
  recordsPersonalisationCommands,
  STANDARD_PROFILE,
} from '@sefleet/secure-element';
import { simulationError } from '../errors.ts';
import { TEST_FIRMWARE_AUTHORITY } from './test-firmware.ts';

/** Containers of a test card, as a factory lays them out. */
export const TEST_CONTAINER = { bootstrapPsk: 1, managementPsk: 2, deviceKey: 3 } as const;
/** The stakeholder that a test card seals for, and its record master key. */
export const TEST_STAKEHOLDER = 'northern-power';
export const TEST_RECORD_MASTER: Uint8Array = fromHex('000102030405060708090a0b0c0d0e0f');

const RECORDS_INSTANCE = fromHex('f05345464c54020111');
const ISSUER_KEY = fromHex('404142434445464748494a4b4c4d4e4f');

/** The pre-shared key of a test device's account. */
export function testPsk(endpoint: string, account: 'bootstrap' | 'management'): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(`${account} ${endpoint}`).digest().subarray(0, 16));
}

/** A card with PSKs and one records applet, all of it in the Issuer Security Domain. */
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
    install(aidBytes(RECORDS_LOAD_FILE), aidBytes(RECORDS_MODULE), RECORDS_INSTANCE),
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

/** Has the records applet of a test card seal for `stakeholder` from now on. */
export async function giveToStakeholder(
  transmit: (apdu: Uint8Array) => Uint8Array,
  endpoint: string,
  stakeholder: string,
  rng: Rng,
): Promise<void> {
  const session = await openSession(transmit, rng);
  const recordKey = deriveRecordKey(TEST_RECORD_MASTER, endpoint);
  const personalisation = { stakeholder, keyVersion: 1, endpoint, recordKey };
  await sendAll(session, recordsPersonalisationCommands(session, RECORDS_INSTANCE, personalisation));
}

function openSession(
  transmit: (apdu: Uint8Array) => Uint8Array,
  rng: Rng,
): ReturnType<typeof openScp03Session> {
  const domainAid = aidBytes(ISSUER_SECURITY_DOMAIN);
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
