import { fromHex } from '@sefleet/bytes';
import { aid, PRIVILEGE } from '@sefleet/globalplatform';
import { BOOTSTRAP_LOAD_FILE, BOOTSTRAP_MODULE } from '../applets/bootstrap/identifiers.ts';
import { IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE } from '../applets/iot-safe/identifiers.ts';
import { METERING_LOAD_FILE, METERING_MODULE } from '../applets/metering/identifiers.ts';
import { VEHICLE_LOAD_FILE, VEHICLE_MODULE } from '../applets/vehicle/identifiers.ts';
import { VITAL_SIGNS_LOAD_FILE, VITAL_SIGNS_MODULE } from '../applets/vital-signs/identifiers.ts';
import type { CardProfile } from './card-profile.ts';

/** The Issuer Security Domain of GlobalPlatform cards. */
export const ISSUER_SECURITY_DOMAIN = aid('A000000151000000');
/** The load file that every card has for Security Domains; host tools expect these AIDs (GPCS 2.3.1 §H.1). */
export const SECURITY_DOMAIN_LOAD_FILE = aid('A0000001515350');
/** The module of which supplementary Security Domains are instances. */
export const SECURITY_DOMAIN_MODULE = aid('A000000151535041');

const VERSION_1_0 = Uint8Array.of(0x01, 0x00);

/**
 * A card of the fleet: SCP03 i=70, one issuer with all of an issuer's privileges, and the applets of this
 * room.
 */
export const STANDARD_PROFILE: CardProfile = {
  name: 'sefleet-standard-2',
  issuerDomain: ISSUER_SECURITY_DOMAIN,
  scp03: 0x70,
  // As real issuer domains report them: 9EFE80.
  issuerPrivileges:
    PRIVILEGE.SECURITY_DOMAIN |
    PRIVILEGE.CARD_LOCK |
    PRIVILEGE.CARD_TERMINATE |
    PRIVILEGE.CARD_RESET |
    PRIVILEGE.CVM_MANAGEMENT |
    PRIVILEGE.TRUSTED_PATH |
    PRIVILEGE.AUTHORIZED_MANAGEMENT |
    PRIVILEGE.TOKEN_VERIFICATION |
    PRIVILEGE.GLOBAL_DELETE |
    PRIVILEGE.GLOBAL_LOCK |
    PRIVILEGE.GLOBAL_REGISTRY |
    PRIVILEGE.FINAL_APPLICATION |
    PRIVILEGE.RECEIPT_GENERATION,
  loadFiles: [
    { aid: SECURITY_DOMAIN_LOAD_FILE, version: VERSION_1_0, modules: [SECURITY_DOMAIN_MODULE] },
    { aid: IOT_SAFE_LOAD_FILE, version: VERSION_1_0, modules: [IOT_SAFE_MODULE] },
    { aid: BOOTSTRAP_LOAD_FILE, version: VERSION_1_0, modules: [BOOTSTRAP_MODULE] },
    { aid: METERING_LOAD_FILE, version: VERSION_1_0, modules: [METERING_MODULE] },
    { aid: VEHICLE_LOAD_FILE, version: VERSION_1_0, modules: [VEHICLE_MODULE] },
    { aid: VITAL_SIGNS_LOAD_FILE, version: VERSION_1_0, modules: [VITAL_SIGNS_MODULE] },
  ],
  memoryBytes: 131_072,
  productionData: fromHex(
    '479060504700601201006012000000000001601260120000000000000000000000000000000000000000',
  ),
};
