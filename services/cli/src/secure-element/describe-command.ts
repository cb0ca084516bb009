import {
  C_DECRYPTION,
  C_MAC,
  decodeClassByte,
  decodeInstallForInstall,
  decodeInstallForLoad,
  decodeInstallForRegistry,
  decodeLvs,
  decodePrivileges,
  decodePutKey,
  decodeTlvs,
  findTlv,
  INS,
  INSTALL_FOR,
  lifeCycleName,
  privilegeNames,
  R_ENCRYPTION,
  R_MAC,
  SET_STATUS_SCOPE,
  splitSymmetricValue,
  STATUS_SCOPE,
  STORE_DATA,
  type CommandApdu,
} from '@sefleet/globalplatform';
import { isSefleetError } from '@sefleet/errors';
import { dataObjectName } from './data-object-names.ts';
import { hexNumber, hexText } from './hex-text.ts';
import { keyTypeName } from './key-type-name.ts';

/** Instructions of applets, by class and number where GlobalPlatform has others of that number. */
const APPLET_NAMES: Readonly<Record<number, string>> = {
  0x0020: 'VERIFY',
  0x0024: 'PUT PUBLIC KEY init',
  0x002b: 'COMPUTE SIGNATURE update',
  0x002c: 'VERIFY SIGNATURE init',
  0x002d: 'VERIFY SIGNATURE update',
  0x0046: 'COMPUTE DH',
  0x0048: 'COMPUTE PRF',
  0x004a: 'COMPUTE HKDF',
  0x0084: 'GET RANDOM',
  0x00b0: 'READ BINARY or READ FILE',
  0x00b9: 'GENERATE KEY PAIR',
  0x00cd: 'READ PUBLIC KEY',
  0x8020: 'SEAL',
  0x8022: 'STATUS',
  0x8024: 'HAND OVER',
  0x8028: 'CLEAR',
};

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(INS).map(([name, ins]) => [ins, name.replaceAll('_', ' ')]),
);

const LEVELS = [
  [C_MAC, 'C-MAC'],
  [C_DECRYPTION, 'C-DECRYPTION'],
  [R_MAC, 'R-MAC'],
  [R_ENCRYPTION, 'R-ENCRYPTION'],
] as const;

/** A command in a line: `SELECT P1P2=0400 data=A000000151000000`. */
export function describeCommand(command: CommandApdu): string {
  const { cla, ins, p1, p2, data } = command;
  const { channel = 0 } = decodeClassByte(cla) ?? {};
  const name = APPLET_NAMES[((cla & 0x80) << 8) | ins] ?? NAMES.get(ins) ?? `INS ${hexNumber(ins)}`;
  const secured = isSecured(command) ? ' (secure messaging)' : '';
  const on = channel === 0 ? '' : ` on channel ${channel}`;
  const shown = data.length === 0 ? '' : ` data=${hexText(data)}`;
  return `${name}${secured}${on} P1P2=${hexNumber(p1)}${hexNumber(p2)}${shown}`;
}

/** True when secure messaging covers the command: its data may be ciphered, and end with a MAC. */
export function isSecured({ cla }: CommandApdu): boolean {
  return decodeClassByte(cla)?.secure ?? false;
}

/** What a command asks for, a line each; nothing when its bytes say it all, or cannot be read. */
export function explainCommand(command: CommandApdu): readonly string[] {
  const explain = EXPLAIN[command.ins];
  if (explain === undefined) return [];
  // The data of a command under secure messaging may be ciphered; its header never is.
  const readable = isSecured(command) ? { ...command, data: new Uint8Array(0) } : command;
  try {
    return explain(readable, isSecured(command));
  } catch (error) {
    if (isSefleetError(error) || error instanceof RangeError) return [];
    throw error;
  }
}

const EXPLAIN: Readonly<Record<number, (command: CommandApdu, secured: boolean) => readonly string[]>> = {
  [INS.SELECT]: ({ p2, data }, secured) =>
    secured ? [] : [`${(p2 & 0x03) === 0x02 ? 'next ' : ''}${data.length === 0 ? 'default' : hexText(data)}`],
  [INS.MANAGE_CHANNEL]: ({ p1, p2 }) => [p1 === 0x80 ? `close channel ${p2}` : 'open a channel'],
  [INS.GET_DATA]: ({ p1, p2 }) => [dataObjectName((p1 << 8) | p2)],
  [INS.INITIALIZE_UPDATE]: ({ p1, data }) => [
    `key version ${p1 === 0 ? 'the first' : hexNumber(p1)}, host challenge ${hexText(data)}`,
  ],
  [INS.EXTERNAL_AUTHENTICATE]: ({ p1, p2 }, secured) =>
    secured ? [`level ${levelNames(p1)}`] : [`key agreement with key ${hexNumber(p2)} of ${hexNumber(p1)}`],
  [INS.INTERNAL_AUTHENTICATE]: ({ p1, p2 }) => [
    `key agreement with key ${hexNumber(p2)} of ${hexNumber(p1)}`,
  ],
  [INS.PUT_KEY]: (command, secured) => putKey(command, secured),
  [INS.STORE_DATA]: ({ p1, p2 }) => [
    [
      `block ${p2}${(p1 & STORE_DATA.LAST) === 0 ? '' : ', the last'}`,
      ...((p1 & STORE_DATA.DGI) === 0 ? [] : ['data groupings']),
      ...((p1 & STORE_DATA.BER_TLV) === 0 ? [] : ['BER-TLV']),
      ...((p1 & STORE_DATA.ENCRYPTED) === 0 ? [] : ['sensitive parts enciphered']),
    ].join(', '),
  ],
  [INS.DELETE]: ({ p2, data }, secured) => (secured ? [] : [deleted(data, (p2 & 0x80) !== 0)]),
  [INS.INSTALL]: (command, secured) => [
    `for ${purposes(command.p1)}`,
    ...(secured ? [] : installed(command)),
  ],
  [INS.LOAD]: ({ p1, p2 }) => [`block ${p2}${(p1 & 0x80) === 0 ? '' : ', the last'}`],
  [INS.GET_STATUS]: ({ p1, p2 }) => [`${nameIn(STATUS_SCOPE, p1)}${(p2 & 0x01) === 0 ? '' : ', next part'}`],
  [INS.SET_STATUS]: ({ p1, p2, data }) => [
    `${nameIn(SET_STATUS_SCOPE, p1)} ${hexText(data)} to ` +
      lifeCycleName(p1 === SET_STATUS_SCOPE.CARD ? 'card' : 'application', p2),
  ],
};

function levelNames(level: number): string {
  const names = LEVELS.filter(([bit]) => (level & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? 'none' : names.join(' ');
}

function putKey(command: CommandApdu, secured: boolean): readonly string[] {
  const id = command.p2 & 0x7f;
  const head = `${command.p1 === 0 ? 'add' : `replace version ${hexNumber(command.p1)}`}, key identifier ${id}`;
  if (secured) return [head];
  const { newVersion, keys } = decodePutKey(command);
  const types = keys.map(({ components: [first], checkValue }) => {
    if (first === undefined) return '';
    const length = splitSymmetricValue(first.value)?.keyLength ?? first.value.length;
    const check = checkValue.length === 0 ? '' : `, check value ${hexText(checkValue)}`;
    return `${keyTypeName(first.type, length)}${check}`;
  });
  return [`${head}, version ${hexNumber(newVersion)}`, ...types];
}

function deleted(data: Uint8Array, related: boolean): string {
  const objects = decodeTlvs(data);
  const object = findTlv(objects, 0x4f);
  const [id, version] = [findTlv(objects, 0xd0), findTlv(objects, 0xd2)];
  if (object !== undefined) return `${hexText(object)}${related ? ' and what depends on it' : ''}`;
  const part = id === undefined ? 'keys' : `key ${hexText(id)}`;
  return `${part}${version === undefined ? '' : ` of version ${hexText(version)}`}`;
}

const PURPOSES = [
  [INSTALL_FOR.LOAD, 'load'],
  [INSTALL_FOR.INSTALL, 'install'],
  [INSTALL_FOR.MAKE_SELECTABLE, 'make selectable'],
  [INSTALL_FOR.EXTRADITION, 'extradition'],
  [INSTALL_FOR.PERSONALIZATION, 'personalization'],
  [INSTALL_FOR.REGISTRY_UPDATE, 'registry update'],
] as const;

function purposes(p1: number): string {
  return PURPOSES.filter(([bit]) => (p1 & bit) !== 0)
    .map(([, name]) => name)
    .join(' and ');
}

/** INSTALL [for personalization] has six fields, of which the third names the application. */
const PERSONALIZATION_FIELDS = 6;

function installed({ p1, data }: CommandApdu): readonly string[] {
  if (p1 === INSTALL_FOR.LOAD) {
    const { loadFile, securityDomain } = decodeInstallForLoad(data);
    return [`load file ${hexText(loadFile)} into ${hexText(securityDomain) || 'the selected domain'}`];
  }
  if (p1 === INSTALL_FOR.EXTRADITION || p1 === INSTALL_FOR.REGISTRY_UPDATE) {
    const { securityDomain, application, privileges } = decodeInstallForRegistry(data);
    return [`${hexText(application)} to ${hexText(securityDomain)}${privilegeText(privileges)}`];
  }
  if (p1 === INSTALL_FOR.PERSONALIZATION)
    return [hexText(decodeLvs(data, PERSONALIZATION_FIELDS)[2] ?? new Uint8Array(0))];
  const { loadFile, module, instance, privileges } = decodeInstallForInstall(data);
  return [`${hexText(instance)} of ${hexText(module)} in ${hexText(loadFile)}${privilegeText(privileges)}`];
}

function privilegeText(bytes: Uint8Array): string {
  const privileges = decodePrivileges(bytes) ?? 0;
  return privileges === 0 ? '' : `, ${toWords(privilegeNames(privileges))}`;
}

/** Names of constants as words. */
export function toWords(names: readonly string[]): string {
  return names.map((name) => name.toLowerCase().replaceAll('_', ' ')).join(', ');
}

function nameIn(values: Readonly<Record<string, number>>, value: number): string {
  const [name] = Object.entries(values).find(([, one]) => one === value) ?? [hexNumber(value)];
  return toWords([name]);
}
