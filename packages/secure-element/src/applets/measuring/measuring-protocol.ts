/** Instructions of the measuring applets (metering, vehicle diagnostics, vital signs), class 80. */
export const MEASURING_COMMAND = {
  /** Data: a telemetry record in CBOR with sequence 0. Response: the sealed record. */
  SEAL: 0x20,
  /**
   * Response: {@link MEASURING_TAG} objects. What the applet keeps for its owner ({@link MEASURING_TAG.OWN})
   * is among them only in a session under the owner's own keys that encrypts responses.
   */
  STATUS: 0x22,
  /**
   * The sealed cut-over reading. Data: {@link HAND_OVER_TAG} objects SUCCESSOR, ACTIVATION and RECORD.
   * Response: {@link HAND_OVER_TAG} objects CLOSING and OPENING. Sent again with the same data, it gives the
   * same two records until the next record is sealed.
   */
  HAND_OVER: 0x24,
  /** In a session of the owner: clears the trouble codes, or the alarm. */
  CLEAR: 0x28,
  /** Of vehicle diagnostics. Data: trouble codes, two bytes each (ISO 15031-6). */
  REPORT: 0x2a,
} as const;

/** Data objects of STATUS. */
export const MEASURING_TAG = {
  STAKEHOLDER: 0x80,
  KEY_VERSION: 0x81,
  ENDPOINT: 0x82,
  /** Sequence number of the last record, six bytes. */
  SEQUENCE: 0x83,
  /** 01 when no stakeholder takes records. */
  CLOSED: 0x84,
  /** Sequence number of the first record for this stakeholder: one below it is a replay. */
  FIRST_SEQUENCE: 0x85,
  /** What the applet keeps for its owner; the objects inside are the applet's own. */
  OWN: 0xa0,
} as const;

/** Data objects of HAND OVER. */
export const HAND_OVER_TAG = {
  /** AID of the Security Domain that takes over. */
  SUCCESSOR: 0x4f,
  /** The secret by which the new stakeholder lets it happen. */
  ACTIVATION: 0x86,
  /** The reading: a telemetry record in CBOR with sequence 0 and the time of the instant. */
  RECORD: 0x53,
  CLOSING: 0x81,
  OPENING: 0x82,
} as const;

/** Data groupings of a Security Domain's record account, in its own STORE DATA. */
export const ACCOUNT_DGI = {
  /**
   * {@link MEASURING_TAG} objects STAKEHOLDER, KEY_VERSION and ENDPOINT, in the clear; with SEQUENCE, records
   * are numbered from the next number on, but never again by a number that was used.
   */
  OWNER: 0x0101,
  /** {@link GRANT_TAG} objects; absent when the account serves the domain's own applications. */
  GRANT: 0x0102,
  /** Length and value of the record key, encrypted under the data encryption key of the session. */
  RECORD_KEY: 0x8101,
} as const;

/** Data objects of a grant: to whom an account is opened before the application belongs to the domain. */
export const GRANT_TAG = {
  /** AID of the application. */
  APPLICATION: 0x4f,
  /** Milliseconds since 1970, eight bytes: the time that the cut-over reading has to bear. */
  INSTANT: 0x87,
  /** 16 bytes that HAND OVER has to present. */
  ACTIVATION: 0x86,
  /** What the application gets from its new stakeholder at the instant; its own format. */
  PARAMETERS: 0x88,
} as const;

/** Data groupings of the applets' personalisation, by their owner. */
export const MEASURING_DGI = {
  /** Metering: the tariff. */
  TARIFF: 0x0201,
  /** Vital signs: the bounds. */
  BOUNDS: 0x0202,
} as const;

/** Bytes of an activation secret. */
export const ACTIVATION_BYTES = 16;
