/** Privileges of applications and Security Domains as a 24-bit number (GPCS 2.3.1 tables 11-7 to 11-9). */
export const PRIVILEGE = {
  SECURITY_DOMAIN: 0x800000,
  DAP_VERIFICATION: 0x400000,
  DELEGATED_MANAGEMENT: 0x200000,
  CARD_LOCK: 0x100000,
  CARD_TERMINATE: 0x080000,
  CARD_RESET: 0x040000,
  CVM_MANAGEMENT: 0x020000,
  MANDATED_DAP: 0x010000,
  TRUSTED_PATH: 0x008000,
  AUTHORIZED_MANAGEMENT: 0x004000,
  TOKEN_VERIFICATION: 0x002000,
  GLOBAL_DELETE: 0x001000,
  GLOBAL_LOCK: 0x000800,
  GLOBAL_REGISTRY: 0x000400,
  FINAL_APPLICATION: 0x000200,
  GLOBAL_SERVICE: 0x000100,
  RECEIPT_GENERATION: 0x000080,
  CIPHERED_LOAD_FILE: 0x000040,
  CONTACTLESS_ACTIVATION: 0x000020,
  CONTACTLESS_SELF_ACTIVATION: 0x000010,
  PRIVACY_TRUSTED: 0x000008,
} as const;

const RESERVED = 0x000007;

/** Privileges from their one- or three-byte form; undefined for other lengths and reserved bits. */
export function decodePrivileges(bytes: Uint8Array): number | undefined {
  if (bytes.length !== 1 && bytes.length !== 3) return undefined;
  const value = ((bytes[0] ?? 0) << 16) | ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0);
  return (value & RESERVED) === 0 ? value : undefined;
}

/** The three-byte form of privileges. */
export function encodePrivileges(privileges: number): Uint8Array {
  return Uint8Array.of(privileges >> 16, privileges >> 8, privileges);
}

/** The names of the privileges that are set. */
export function privilegeNames(privileges: number): readonly string[] {
  return Object.entries(PRIVILEGE)
    .filter(([, bit]) => (privileges & bit) !== 0)
    .map(([name]) => name);
}
