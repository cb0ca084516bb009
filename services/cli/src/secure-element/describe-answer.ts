import {
  decodeFileControlInformation,
  decodeInitializeUpdateResponse,
  decodeReceipt,
  decodeStatus,
  INS,
  isProcessed,
  lifeCycleName,
  PRIVILEGE,
  privilegeNames,
  STATUS_SCOPE,
  type CommandApdu,
  type RegistryEntry,
  type ResponseApdu,
} from '@sefleet/globalplatform';
import { isSefleetError } from '@sefleet/errors';
import { explainCardData, explainManagementData } from './describe-card-data.ts';
import { isSecured, toWords } from './describe-command.ts';
import { explainTlvs } from './describe-tlv.ts';
import { hexNumber, hexText } from './hex-text.ts';

type Reader = (command: CommandApdu, data: Uint8Array) => readonly string[] | undefined;

/**
 * What the data of an answer say, a line each; nothing when there are none or nobody but the two ends can
 * read them.
 */
export function explainAnswer(command: CommandApdu, { data, sw }: ResponseApdu): readonly string[] {
  if (data.length === 0 || !(isProcessed(sw) || sw >> 8 === 0x61)) return [];
  const specific = tryRead(READERS[command.ins], command, data);
  if (specific !== undefined) return specific;
  // Ciphertext and MACs look like data objects once in a while.
  return isSecured(command) ? [] : (explainTlvs(data) ?? []);
}

const READERS: Readonly<Record<number, Reader>> = {
  [INS.SELECT]: (_, data) => fileControlInformation(data),
  [INS.MANAGE_CHANNEL]: (_, [channel]) => (channel === undefined ? undefined : [`channel ${channel}`]),
  [INS.INITIALIZE_UPDATE]: (_, data) => initializeUpdate(data),
  [INS.GET_DATA]: ({ p1, p2 }, data) => explainCardData((p1 << 8) | p2, data),
  [INS.GET_STATUS]: ({ p1 }, data) => decodeStatus(data).flatMap((entry) => registryEntry(p1, entry)),
  [INS.PUT_KEY]: (command, data) => (isSecured(command) ? undefined : checkValues(data)),
  [INS.INSTALL]: (_, data) => receipt(data),
  [INS.LOAD]: (_, data) => receipt(data),
  [INS.DELETE]: (_, data) => receipt(data),
};

function tryRead(
  reader: Reader | undefined,
  command: CommandApdu,
  data: Uint8Array,
): readonly string[] | undefined {
  try {
    return reader?.(command, data);
  } catch (error) {
    if (isSefleetError(error)) return undefined;
    throw error;
  }
}

function fileControlInformation(data: Uint8Array): readonly string[] {
  const { aid, managementData, lifeCycleData, maxCommandData } = decodeFileControlInformation(data);
  return [
    `application ${hexText(aid)}`,
    ...(managementData === undefined ? [] : explainManagementData(managementData)),
    ...(lifeCycleData === undefined ? [] : [`life cycle data ${hexText(lifeCycleData)}`]),
    ...(maxCommandData === undefined ? [] : [`longest command data ${maxCommandData} bytes`]),
  ];
}

function initializeUpdate(data: Uint8Array): readonly string[] {
  const { diversificationData, keyVersion, i, cardChallenge, cardCryptogram, sequence } =
    decodeInitializeUpdateResponse(data);
  return [
    `key diversification data ${hexText(diversificationData)}`,
    `key version ${hexNumber(keyVersion)}, SCP03, i = ${hexNumber(i)}`,
    `card challenge ${hexText(cardChallenge)}, cryptogram ${hexText(cardCryptogram)}`,
    ...(sequence === undefined ? [] : [`sequence counter ${sequence}`]),
  ];
}

function registryEntry(scope: number, entry: RegistryEntry): readonly string[] {
  const { aid, lifeCycle, privileges = 0, loadFile, loadFileVersion, modules = [], securityDomain } = entry;
  const parts = [
    `${aid.toUpperCase()} ${lifeCycleName(kindOf(scope, privileges), lifeCycle)}`,
    ...(privileges === 0 ? [] : [toWords(privilegeNames(privileges))]),
    ...(loadFile === undefined ? [] : [`of load file ${loadFile.toUpperCase()}`]),
    ...(loadFileVersion === undefined ? [] : [`version ${hexText(loadFileVersion)}`]),
    ...(securityDomain === undefined ? [] : [`in ${securityDomain.toUpperCase()}`]),
  ];
  return [parts.join(', '), ...modules.map((module) => `  module ${module.toUpperCase()}`)];
}

function kindOf(scope: number, privileges: number): Parameters<typeof lifeCycleName>[0] {
  if (scope === STATUS_SCOPE.ISSUER_SECURITY_DOMAIN) return 'card';
  if (scope !== STATUS_SCOPE.APPLICATIONS) return 'load-file';
  return (privileges & PRIVILEGE.SECURITY_DOMAIN) === 0 ? 'application' : 'security-domain';
}

const CHECK_VALUE_BYTES = 3;

function checkValues(data: Uint8Array): readonly string[] | undefined {
  const [version, ...rest] = data;
  if (version === undefined || rest.length % CHECK_VALUE_BYTES !== 0) return undefined;
  const values: string[] = [];
  for (let at = 1; at < data.length; at += CHECK_VALUE_BYTES)
    values.push(hexText(data.subarray(at, at + CHECK_VALUE_BYTES)));
  const shown = values.length === 0 ? '' : `, check values ${values.join(' ')}`;
  return [`key version ${hexNumber(version)}${shown}`];
}

function receipt(data: Uint8Array): readonly string[] {
  const found = decodeReceipt(data);
  if (found === undefined) return ['no receipt'];
  const { mac, confirmation } = found;
  const { counter, cardUniqueData, token } = confirmation;
  return [
    `receipt ${hexText(mac)}, counter ${counter}, of card ${hexText(cardUniqueData)}`,
    ...(token === undefined ? [] : [`for token ${hexText(token.identifier)}, ${hexText(token.digest)}`]),
  ];
}
