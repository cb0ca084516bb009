import {
  aid,
  aidBytes,
  combinedInstallCommands,
  deleteCommand,
  deleteKeyCommand,
  encipherCode,
  encodeKeyGroupings,
  getDataCommand,
  getStatusCommand,
  installCommand,
  installForExtraditionCommand,
  installForLoadCommand,
  installForPersonalizationCommand,
  installForRegistryUpdateCommand,
  loadCommands,
  manageChannelCommand,
  putKeysCommand,
  putPublicKeyCommand,
  putSymmetricKeyCommand,
  scenario2bCommand,
  SET_STATUS_SCOPE,
  setStatusCommand,
  STATUS_SCOPE,
  storeDataCommands,
} from '@sefleet/globalplatform';
import type { Aid, CommandApdu, SecureChannelSession } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import {
  encodePackage,
  IOT_SAFE_INSTANCE,
  IOT_SAFE_LOAD_FILE,
  IOT_SAFE_MODULE,
  ISSUER_SECURITY_DOMAIN,
  METERING_MODULE,
  SECURITY_DOMAIN_LOAD_FILE,
  SECURITY_DOMAIN_MODULE,
} from '@sefleet/secure-element';
import { METERING, STAKEHOLDERS, SUPPLIER } from './factory.ts';

const NAMES: readonly Aid[] = [
  SUPPLIER,
  METERING,
  ISSUER_SECURITY_DOMAIN,
  IOT_SAFE_INSTANCE,
  ...STAKEHOLDERS,
  ...['80', '81', '82'].map((n) => aid(`A000000151535041${n}`)),
];
const LOAD_FILES: readonly Aid[] = [aid('F07365666C65657490'), aid('F07365666C65657491')];
const NO_DATA = new Uint8Array(0);
const RIGHTS = Uint8Array.from([
  0xc9, 0x0b, 0x82, 0x02, 0x20, 0x20, 0x83, 0x01, 0x20, 0x87, 0x02, 0x20, 0x20,
]);

type Maker = (session: SecureChannelSession, rng: Rng) => readonly CommandApdu[];

/** Well-formed content management, as hosts send it: what gets past the first checks and changes the card. */
const MAKERS: readonly Maker[] = [
  (_, rng) => [installOf(rng, SECURITY_DOMAIN_LOAD_FILE, SECURITY_DOMAIN_MODULE, 0x800000 | bit(rng, 24))],
  (_, rng) => [installOf(rng, IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE, pick(rng, 3) === 0 ? bit(rng, 24) : 0)],
  (_, rng) => [installOf(rng, fileOf(rng), METERING_MODULE, 0)],
  (_, rng) => [deleteCommand(aidBytes(nameOf(rng)), { related: pick(rng, 2) === 0 })],
  (_, rng) => [deleteCommand(aidBytes(fileOf(rng)), { related: pick(rng, 2) === 0 })],
  (_, rng) => [
    deleteKeyCommand({ keyVersion: pick(rng, 0x80), ...(pick(rng, 2) === 0 ? { keyId: pick(rng, 5) } : {}) }),
  ],
  (_, rng) => [installForExtraditionCommand(aidBytes(nameOf(rng)), aidBytes(nameOf(rng)))],
  (_, rng) => [
    installForRegistryUpdateCommand({ application: aidBytes(nameOf(rng)), privileges: rng.bytes(3) }),
  ],
  (_, rng) => [installForPersonalizationCommand(aidBytes(nameOf(rng)))],
  (session, rng) => [
    putKeysCommand(session, keysOf(rng, 16), { newVersion: version(rng), oldVersion: version(rng) }),
  ],
  (session, rng) => [putKeysCommand(session, keysOf(rng, 32), { newVersion: version(rng) })],
  (session, rng) => [
    putSymmetricKeyCommand(session, rng.bytes(16), { newVersion: special(rng), keyId: 1 + pick(rng, 4) }),
  ],
  (_, rng) => [
    putPublicKeyCommand({ point: rng.bytes(65) }, { newVersion: special(rng), keyId: 1 + pick(rng, 4) }),
  ],
  (session, rng) =>
    storeDataCommands(encodeKeyGroupings(session, [rng.bytes(16)], { keyVersion: version(rng) })),
  (_, rng) => storeDataCommands(objectOf(rng), { format: 'ber-tlv' }),
  (_, rng) => [pushOf(rng)],
  (_, rng) => [installForLoadCommand({ loadFile: aidBytes(fileOf(rng)) }), ...blocksOf(rng)],
  (_, rng) => combinedOf(rng),
  (_, rng) => [
    setStatusCommand(
      SET_STATUS_SCOPE.APPLICATION,
      [0x80, 0x07, 0x0f, 0x83][pick(rng, 4)] ?? 0,
      aidBytes(nameOf(rng)),
    ),
  ],
  (_, rng) => [
    setStatusCommand(
      SET_STATUS_SCOPE.DOMAIN_AND_ITS_APPLICATIONS,
      pick(rng, 2) === 0 ? 0x80 : 0x07,
      aidBytes(nameOf(rng)),
    ),
  ],
  (_, rng) =>
    pick(rng, 50) === 0 ? [setStatusCommand(SET_STATUS_SCOPE.CARD, pick(rng, 2) === 0 ? 0x7f : 0x0f)] : [],
  () => [getStatusCommand(STATUS_SCOPE.APPLICATIONS), getStatusCommand(STATUS_SCOPE.LOAD_FILES_AND_MODULES)],
  (_, rng) => [getDataCommand([0x00e0, 0x0067, 0x9f7f, 0x2f00, 0xff21, 0xdf11, 0x00c1][pick(rng, 7)] ?? 0)],
  (_, rng) => [pick(rng, 2) === 0 ? manageChannelCommand() : manageChannelCommand(pick(rng, 20))],
];

/** Commands of one kind that a host could have meant; the caller spoils some of them. */
export function plausibleCommands(session: SecureChannelSession, rng: Rng): readonly CommandApdu[] {
  return MAKERS[pick(rng, MAKERS.length)]?.(session, rng) ?? [];
}

function installOf(rng: Rng, loadFile: Aid, module: Aid, privileges: number): CommandApdu {
  return installCommand({
    loadFile: aidBytes(loadFile),
    module: aidBytes(module),
    instance: aidBytes(nameOf(rng)),
    privileges,
    parameters: pick(rng, 3) === 0 ? rng.bytes(pick(rng, 20)) : RIGHTS,
    p1: ([0x04, 0x08, 0x0c] as const)[pick(rng, 3)] ?? 0x0c,
  });
}

function combinedOf(rng: Rng): readonly CommandApdu[] {
  const loadFile = fileOf(rng);
  const { beginning, end } = combinedInstallCommands(
    { loadFile: aidBytes(loadFile) },
    { module: aidBytes(METERING_MODULE), instance: aidBytes(nameOf(rng)), privileges: 0, parameters: RIGHTS },
  );
  return [beginning, ...blocksOf(rng, loadFile), end];
}

function blocksOf(rng: Rng, loadFile = fileOf(rng)): readonly CommandApdu[] {
  const code = encodePackage(loadFile, { version: rng.bytes(2), modules: [METERING_MODULE] });
  const ciphered = pick(rng, 3) === 0;
  return loadCommands({
    daps: [],
    code: ciphered ? encipherCode(code, { kind: 'aes', value: rng.bytes(16) }) : code,
  });
}

function pushOf(rng: Rng): CommandApdu {
  const shared = { authentication: rng.bytes(16), confidentiality: rng.bytes(16) };
  const target = { cardUniqueData: rng.bytes(11), domain: aidBytes(nameOf(rng)) };
  const parameters = { keyVersion: version(rng), keyLength: 16 as const, counter: pick(rng, 1000) };
  return scenario2bCommand(keysOf(rng, 16), parameters, shared, target);
}

function objectOf(rng: Rng): Uint8Array {
  const value = rng.bytes(pick(rng, 100));
  const tag = [0x5f50, 0x7f21, 0x0042, 0x0045, 0x00e0, 0x9f66, 0x9f67, 0x004f][pick(rng, 8)] ?? 0x5f50;
  const head = tag > 0xff ? [tag >> 8, tag & 0xff] : [tag];
  return Uint8Array.from([...head, value.length, ...value]);
}

function keysOf(rng: Rng, length: number) {
  return { enc: rng.bytes(length), mac: rng.bytes(length), dek: rng.bytes(length) };
}

function version(rng: Rng): number {
  return [1, 2, 0x30, 0x31, 0x7f, pick(rng, 0x80)][pick(rng, 6)] ?? 1;
}

function special(rng: Rng): number {
  return 0x70 + pick(rng, 6);
}

function bit(rng: Rng, below: number): number {
  return pick(rng, 2) === 0 ? 0 : 1 << pick(rng, below);
}

function nameOf(rng: Rng): Aid {
  return NAMES[pick(rng, NAMES.length)] ?? SUPPLIER;
}

function fileOf(rng: Rng): Aid {
  return LOAD_FILES[pick(rng, LOAD_FILES.length)] ?? SECURITY_DOMAIN_LOAD_FILE;
}

function pick(rng: Rng, below: number): number {
  return Math.floor(rng.fraction() * below);
}

/** Another byte somewhere, or an end cut off. */
export function spoil(command: CommandApdu, rng: Rng): CommandApdu {
  const { data } = command;
  switch (pick(rng, 6)) {
    case 0:
      return { ...command, p1: pick(rng, 256) };
    case 1:
      return { ...command, p2: pick(rng, 256) };
    case 2:
      return { ...command, data: data.subarray(0, pick(rng, data.length + 1)) };
    case 3:
      return { ...command, data: NO_DATA };
    default:
      return data.length === 0
        ? command
        : { ...command, data: data.with(pick(rng, data.length), pick(rng, 256)) };
  }
}
