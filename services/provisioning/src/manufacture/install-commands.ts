import {
  encodeSecurityDomainParameters,
  installCommand,
  PRIVILEGE,
  aidBytes,
  type CommandApdu,
} from '@sefleet/globalplatform';
import { SECURITY_DOMAIN_LOAD_FILE, SECURITY_DOMAIN_MODULE } from '@sefleet/secure-element';

/** Accepts applications from and to Security Domains of other owners (GP UICC configuration §4). */
const OPEN_TO_OTHERS = Uint8Array.of(0x20, 0x20);

/** Install parameters of a stakeholder's domain: SCP03, extradition both ways, deletion. */
export const OPEN_DOMAIN_PARAMETERS = encodeSecurityDomainParameters({
  secureChannel: { protocol: 0x03, i: 0x70 },
  acceptExtraditionHere: OPEN_TO_OTHERS,
  acceptDeletion: Uint8Array.of(0x20),
  acceptExtraditionAway: OPEN_TO_OTHERS,
});

/** Install parameters without any: an empty C9 (GPCS 2.3.1 §11.5.2.3.7). */
export const NO_PARAMETERS: Uint8Array = Uint8Array.of(0xc9, 0x00);

/** INSTALL of a Security Domain, selectable at once. */
export function installDomain(instance: Uint8Array, privileges: number, parameters: Uint8Array): CommandApdu {
  return installCommand({
    loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE),
    module: aidBytes(SECURITY_DOMAIN_MODULE),
    instance,
    privileges: PRIVILEGE.SECURITY_DOMAIN | privileges,
    parameters,
  });
}

/** INSTALL of an applet, selectable at once. */
export function installApplet(loadFile: Uint8Array, module: Uint8Array, instance: Uint8Array): CommandApdu {
  return installCommand({ loadFile, module, instance, privileges: 0, parameters: NO_PARAMETERS });
}
