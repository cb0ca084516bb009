/** Instructions of IoT SAFE (GSMA IoT.05 §4). */
export const IOT_SAFE_INS = {
  PUT_PUBLIC_KEY_INIT: 0x24,
  PUT_PUBLIC_KEY_UPDATE: 0xd8,
  COMPUTE_SIGNATURE_INIT: 0x2a,
  COMPUTE_SIGNATURE_UPDATE: 0x2b,
  VERIFY_SIGNATURE_INIT: 0x2c,
  VERIFY_SIGNATURE_UPDATE: 0x2d,
  COMPUTE_DH: 0x46,
  COMPUTE_PRF: 0x48,
  COMPUTE_HKDF: 0x4a,
  GET_RANDOM: 0x84,
  READ_FILE: 0xb0,
  GENERATE_KEY_PAIR: 0xb9,
  GET_DATA: 0xcb,
  READ_PUBLIC_KEY: 0xcd,
} as const;

/** Data objects of IoT SAFE. */
export const IOT_SAFE_TAG = {
  SIGNATURE: 0x33,
  PUBLIC_KEY: 0x34,
  KEY_VALUE: 0x49,
  EC_POINT: 0x86,
  RSA_MODULUS: 0x81,
  RSA_EXPONENT: 0x82,
  STATE: 0x4a,
  KEY_TYPE: 0x4b,
  ACCESS: 0x60,
  FUNCTIONS: 0x61,
  FILE_LABEL: 0x73,
  PRIVATE_LABEL: 0x74,
  PUBLIC_LABEL: 0x75,
  SECRET_LABEL: 0x76,
  FILE_ID: 0x83,
  PRIVATE_ID: 0x84,
  PUBLIC_ID: 0x85,
  SECRET_ID: 0x86,
  HASH_ALGORITHM: 0x91,
  SIGNATURE_ALGORITHM: 0x92,
  TEXT: 0x9b,
  HASH: 0x9e,
  MODE: 0xa1,
  SECRET: 0xd1,
  LABEL_AND_SEED: 0xd2,
  PRF_LENGTH: 0xd3,
  PREMASTER: 0xd4,
  SALT: 0xd5,
} as const;

/** P1 of COMPUTE PRF. */
export const PRF_MODE = { GENERAL: 0x00, PSK_PLAIN: 0x01, PSK_ECDHE: 0x02 } as const;

/** Mode of operation of a signature: the card hashes the text, or takes a hash that is made. */
export const SIGNATURE_MODE = { FULL_TEXT: 0x01, PADDING: 0x03 } as const;

/** P1 of commands with a session: open it, go on, finish it, close it. */
export const SESSION = { OPEN: 0x00, CLOSE: 0x01, MORE: 0x00, LAST: 0x80 } as const;

/** Type of a key container (tag 4B; GSMA IoT.05 §2.5). */
export const CONTAINER_TYPE = {
  RSA_2048: 0x03,
  P256_PERSISTENT: 0x13,
  P256_VOLATILE: 0x14,
  BRAINPOOL_PERSISTENT: 0x23,
  BRAINPOOL_VOLATILE: 0x24,
  SECRET: 0xa0,
} as const;

/** Templates of the applet's personalisation by STORE DATA in BER-TLV: what each creates, or removes. */
export const IOT_SAFE_STORE = {
  /** 86 identifier, 76 label, D1 length and value encrypted under the data encryption key. */
  SECRET: 0xe1,
  /**
   * 84 and 85 identifiers, 74 label, 4B type (persistent P-256 unless given), D1 private key in the same form
   * when a scalar is imported.
   */
  KEY_PAIR: 0xe2,
  /** 85 identifier, 75 label, 4B type as above, 34 public key. */
  PUBLIC_KEY: 0xe3,
  /** 83 identifier, 73 label, 80 content. */
  FILE: 0xe4,
  /** One of 83, 84, 85, 86: the container to remove. */
  REMOVE: 0xe5,
} as const;
