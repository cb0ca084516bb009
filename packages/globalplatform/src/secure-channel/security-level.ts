/** C-MAC on commands. */
export const C_MAC = 0x01;
/** Encryption of command data. */
export const C_DECRYPTION = 0x02;
/** R-MAC on responses. */
export const R_MAC = 0x10;
/** Encryption of response data. */
export const R_ENCRYPTION = 0x20;

/** The combinations that SCP03 and SCP11 know (GPC_SPE_014 §7.1.2.1). */
export type SecurityLevel = 0x00 | 0x01 | 0x03 | 0x11 | 0x13 | 0x33;

const LEVELS: readonly number[] = [0x00, 0x01, 0x03, 0x11, 0x13, 0x33];

/** True for the values of {@link SecurityLevel}. */
export function isSecurityLevel(value: number): value is SecurityLevel {
  return LEVELS.includes(value);
}
