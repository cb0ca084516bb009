/** The numbers of PKCS#11 2.40 (OASIS, pkcs11t.h) that are used here, in the standard's spelling. */
export const CKF = { RW_SESSION: 2n, SERIAL_SESSION: 4n, TOKEN_INITIALIZED: 0x400n } as const;
export const CKU = { SO: 0n, USER: 1n } as const;
export const CKO = { PUBLIC_KEY: 2n, PRIVATE_KEY: 3n, SECRET_KEY: 4n } as const;
export const CKK = { EC: 3n, GENERIC_SECRET: 0x10n, AES: 0x1fn } as const;

export const CKA = {
  CLASS: 0n,
  TOKEN: 1n,
  PRIVATE: 2n,
  LABEL: 3n,
  VALUE: 0x11n,
  KEY_TYPE: 0x100n,
  SENSITIVE: 0x103n,
  ENCRYPT: 0x104n,
  DECRYPT: 0x105n,
  SIGN: 0x108n,
  VERIFY: 0x10an,
  VALUE_LEN: 0x161n,
  EXTRACTABLE: 0x162n,
  EC_PARAMS: 0x180n,
  EC_POINT: 0x181n,
} as const;

export const CKM = {
  SHA256_HMAC: 0x251n,
  GENERIC_SECRET_KEY_GEN: 0x350n,
  EC_KEY_PAIR_GEN: 0x1040n,
  ECDSA: 0x1041n,
  AES_KEY_GEN: 0x1080n,
  AES_GCM: 0x1087n,
  AES_CMAC: 0x108an,
} as const;

export const CKR = {
  OK: 0,
  DEVICE_ERROR: 0x30,
  DEVICE_REMOVED: 0x32,
  ENCRYPTED_DATA_INVALID: 0x40,
  ENCRYPTED_DATA_LEN_RANGE: 0x41,
  PIN_INCORRECT: 0xa0,
  PIN_LEN_RANGE: 0xa2,
  PIN_LOCKED: 0xa4,
  SESSION_CLOSED: 0xb0,
  SESSION_HANDLE_INVALID: 0xb3,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  CRYPTOKI_ALREADY_INITIALIZED: 0x191,
} as const;

/** CK_UNAVAILABLE_INFORMATION and the end of names in fixed fields. */
export const LABEL_BYTES = 32;
