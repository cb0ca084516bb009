import { concatBytes } from '@sefleet/bytes';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { decodeTlvs, encodeTlv, findTlv } from '../tlv/ber-tlv.ts';
import { decodeLvs, encodeLvs } from '../tlv/length-value.ts';
import { gpCommand, INS } from './command.ts';
import { encodePrivileges } from './privileges.ts';

/** P1 of INSTALL (GPCS 2.3.1 table 11-42). */
export const INSTALL_FOR = {
  LOAD: 0x02,
  INSTALL: 0x04,
  MAKE_SELECTABLE: 0x08,
  INSTALL_AND_MAKE_SELECTABLE: 0x0c,
  LOAD_INSTALL_AND_MAKE_SELECTABLE: 0x0e,
  EXTRADITION: 0x10,
  PERSONALIZATION: 0x20,
  REGISTRY_UPDATE: 0x40,
} as const;

/** P2 of INSTALL (GPCS 2.3.1 table 11-43): the first and the last command of one combined process. */
export const INSTALL_PROCESS = { SINGLE: 0x00, BEGINNING: 0x01, END: 0x03 } as const;

const NONE = new Uint8Array(0);

/** INSTALL [for load]. */
export interface InstallForLoad {
  readonly loadFile: Uint8Array;
  /** The Security Domain that will own the load file; empty for the one that is selected. */
  readonly securityDomain: Uint8Array;
  readonly hash: Uint8Array;
  readonly parameters: Uint8Array;
  readonly token: Uint8Array;
}

/** INSTALL [for install], [for make selectable] and both. */
export interface InstallForInstall {
  readonly loadFile: Uint8Array;
  readonly module: Uint8Array;
  readonly instance: Uint8Array;
  /** One or three bytes. */
  readonly privileges: Uint8Array;
  readonly parameters: Uint8Array;
  readonly token: Uint8Array;
}

/** INSTALL [for extradition] and [for registry update]. */
export interface InstallForRegistry {
  /** The Security Domain to which the application belongs afterwards; empty when it stays. */
  readonly securityDomain: Uint8Array;
  readonly application: Uint8Array;
  readonly privileges: Uint8Array;
  readonly parameters: Uint8Array;
  readonly token: Uint8Array;
}

/**
 * Tags inside C9 of a Security Domain's install parameters (GPCS 2.3.1 table 11-49; GP UICC configuration).
 */
export interface SecurityDomainParameters {
  /** Secure channel protocols, each with its "i". */
  readonly secureChannel?: { readonly protocol: number; readonly i: number };
  /**
   * Tag 82: accepts extradition of applications to it (bytes as GP UICC configuration: 20 for any of the same
   * owner).
   */
  readonly acceptExtraditionHere?: Uint8Array;
  /** Tag 83: accepts its own deletion by others. */
  readonly acceptDeletion?: Uint8Array;
  /** Tag 84: who may take it to PERSONALIZED. */
  readonly lifeCycleTransition?: Uint8Array;
  /** Tag 86: capability of a Controlling Authority Security Domain (Amendment A). */
  readonly controllingAuthority?: Uint8Array;
  /** Tag 87: accepts extradition of applications away from it. */
  readonly acceptExtraditionAway?: Uint8Array;
  /** Bytes of non-volatile memory granted to the domain and all below it (system parameter C8 in EF). */
  readonly quotaBytes?: number;
}

/** INSTALL [for load]. */
export function installForLoadCommand(
  install: Partial<InstallForLoad> & Pick<InstallForLoad, 'loadFile'>,
): CommandApdu {
  return gpCommand(INS.INSTALL, INSTALL_FOR.LOAD, 0x00, encodeInstallForLoad(install));
}

/**
 * INSTALL [for install and make selectable], or only one of both with `p1`.
 *
 * @example
 * installCommand({ loadFile, module, instance, privileges: PRIVILEGE.SECURITY_DOMAIN, parameters })
 */
export function installCommand(
  install: Omit<InstallForInstall, 'privileges' | 'token'> & {
    readonly privileges: number;
    readonly token?: Uint8Array;
    readonly p1?: 0x04 | 0x08 | 0x0c;
  },
): CommandApdu {
  const data = encodeInstallForInstall({
    ...install,
    privileges: encodePrivileges(install.privileges),
    token: install.token ?? NONE,
  });
  return gpCommand(INS.INSTALL, install.p1 ?? INSTALL_FOR.INSTALL_AND_MAKE_SELECTABLE, 0x00, data);
}

/**
 * INSTALL [for load, install and make selectable] (GPCS 2.3.1 §11.5.2.3.7): the two commands around the LOAD
 * commands of one process, which leaves everything behind it or nothing. A token goes into the last one
 * alone.
 *
 * @example
 * const { beginning, end } = combinedInstallCommands({ loadFile, hash }, install);
 * for (const command of [beginning, ...loadCommands({ daps: [], code }), end]) await send(command);
 */
export function combinedInstallCommands(
  load: Omit<Partial<InstallForLoad>, 'token'> & Pick<InstallForLoad, 'loadFile'>,
  install: Pick<InstallForInstall, 'module' | 'instance' | 'parameters'> & { readonly privileges: number },
): { readonly beginning: CommandApdu; readonly end: CommandApdu } {
  const p1 = INSTALL_FOR.LOAD_INSTALL_AND_MAKE_SELECTABLE;
  const end = encodeInstallForInstall({
    ...install,
    loadFile: load.loadFile,
    privileges: encodePrivileges(install.privileges),
    token: NONE,
  });
  return {
    beginning: gpCommand(INS.INSTALL, p1, INSTALL_PROCESS.BEGINNING, encodeInstallForLoad(load)),
    end: gpCommand(INS.INSTALL, p1, INSTALL_PROCESS.END, end),
  };
}

/** INSTALL [for personalization]: STORE DATA that follows goes to `application`. */
export function installForPersonalizationCommand(application: Uint8Array): CommandApdu {
  return gpCommand(
    INS.INSTALL,
    INSTALL_FOR.PERSONALIZATION,
    0x00,
    encodeLvs(NONE, NONE, application, NONE, NONE, NONE),
  );
}

/** INSTALL [for extradition]: `application` (or a load file) belongs to `securityDomain` afterwards. */
export function installForExtraditionCommand(
  securityDomain: Uint8Array,
  application: Uint8Array,
  token: Uint8Array = NONE,
): CommandApdu {
  const data = encodeInstallForRegistry({
    securityDomain,
    application,
    privileges: NONE,
    parameters: NONE,
    token,
  });
  return gpCommand(INS.INSTALL, INSTALL_FOR.EXTRADITION, 0x00, data);
}

/** INSTALL [for registry update]. */
export function installForRegistryUpdateCommand(update: Partial<InstallForRegistry>): CommandApdu {
  return gpCommand(INS.INSTALL, INSTALL_FOR.REGISTRY_UPDATE, 0x00, encodeInstallForRegistry(update));
}

/** The data field of INSTALL [for load]. */
export function encodeInstallForLoad(install: Partial<InstallForLoad>): Uint8Array {
  const { loadFile = NONE, securityDomain = NONE, hash = NONE, parameters = NONE, token = NONE } = install;
  return encodeLvs(loadFile, securityDomain, hash, parameters, token);
}

/** Reads the data field of INSTALL [for load]. */
export function decodeInstallForLoad(data: Uint8Array): InstallForLoad {
  const [loadFile = NONE, securityDomain = NONE, hash = NONE, parameters = NONE, token = NONE] = decodeLvs(
    data,
    5,
  );
  return { loadFile, securityDomain, hash, parameters, token };
}

/** The data field of INSTALL [for install]. */
export function encodeInstallForInstall(install: InstallForInstall): Uint8Array {
  const { loadFile, module, instance, privileges, parameters, token } = install;
  return encodeLvs(loadFile, module, instance, privileges, parameters, token);
}

/** Reads the data field of INSTALL [for install]. */
export function decodeInstallForInstall(data: Uint8Array): InstallForInstall {
  const [
    loadFile = NONE,
    module = NONE,
    instance = NONE,
    privileges = NONE,
    parameters = NONE,
    token = NONE,
  ] = decodeLvs(data, 6);
  return { loadFile, module, instance, privileges, parameters, token };
}

/** The data field of INSTALL [for extradition] and [for registry update]. */
export function encodeInstallForRegistry(update: Partial<InstallForRegistry>): Uint8Array {
  const {
    securityDomain = NONE,
    application = NONE,
    privileges = NONE,
    parameters = NONE,
    token = NONE,
  } = update;
  return encodeLvs(securityDomain, NONE, application, privileges, parameters, token);
}

/** Reads the data field of INSTALL [for extradition], [for registry update] and [for personalization]. */
export function decodeInstallForRegistry(data: Uint8Array): InstallForRegistry {
  const [securityDomain = NONE, , application = NONE, privileges = NONE, parameters = NONE, token = NONE] =
    decodeLvs(data, 6);
  return { securityDomain, application, privileges, parameters, token };
}

/** The install parameters field of a Security Domain: C9 with its tags, and EF when a quota is given. */
export function encodeSecurityDomainParameters(parameters: SecurityDomainParameters): Uint8Array {
  const parts: Uint8Array[] = [];
  const { secureChannel, quotaBytes } = parameters;
  if (secureChannel !== undefined) {
    parts.push(encodeTlv(0x81, Uint8Array.of(secureChannel.protocol, secureChannel.i)));
  }
  for (const [tag, value] of [
    [0x82, parameters.acceptExtraditionHere],
    [0x83, parameters.acceptDeletion],
    [0x84, parameters.lifeCycleTransition],
    [0x86, parameters.controllingAuthority],
    [0x87, parameters.acceptExtraditionAway],
  ] as const) {
    if (value !== undefined) parts.push(encodeTlv(tag, value));
  }
  const specific = encodeTlv(0xc9, ...parts);
  if (quotaBytes === undefined) return specific;
  const quota = Uint8Array.of(quotaBytes >> 24, quotaBytes >> 16, quotaBytes >> 8, quotaBytes);
  return concatBytes(specific, encodeTlv(0xef, encodeTlv(0xc8, quota)));
}

/** Reads {@link encodeSecurityDomainParameters}; unknown tags are passed over. */
export function decodeSecurityDomainParameters(bytes: Uint8Array): SecurityDomainParameters {
  const objects = decodeTlvs(bytes);
  const specific = decodeTlvs(findTlv(objects, 0xc9) ?? NONE);
  const channel = findTlv(specific, 0x81);
  const system = findTlv(objects, 0xef);
  const quota = system === undefined ? undefined : findTlv(decodeTlvs(system), 0xc8);
  const here = findTlv(specific, 0x82);
  const deletion = findTlv(specific, 0x83);
  const transition = findTlv(specific, 0x84);
  const authority = findTlv(specific, 0x86);
  const away = findTlv(specific, 0x87);
  return {
    ...(channel?.length === 2 ? { secureChannel: { protocol: channel[0] ?? 0, i: channel[1] ?? 0 } } : {}),
    ...(quota === undefined ? {} : { quotaBytes: quota.reduce((sum, byte) => sum * 256 + byte, 0) }),
    ...(here === undefined ? {} : { acceptExtraditionHere: here }),
    ...(deletion === undefined ? {} : { acceptDeletion: deletion }),
    ...(transition === undefined ? {} : { lifeCycleTransition: transition }),
    ...(authority === undefined ? {} : { controllingAuthority: authority }),
    ...(away === undefined ? {} : { acceptExtraditionAway: away }),
  };
}
