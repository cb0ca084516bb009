/** Instructions of the records applet, class 80. */
export const RECORDS_COMMAND = {
  /** Data: a telemetry record in CBOR with sequence 0. Response: the sealed record. */
  SEAL: 0x20,
  /** Response: {@link RECORDS_TAG} objects. */
  STATUS: 0x22,
  /** P1 of SEAL: the sealed cut-over reading, after which the applet seals nothing. */
  CLOSING: 0x01,
} as const;

/** Data groupings of the applet's personalisation. */
export const RECORDS_DGI = {
  /** {@link RECORDS_TAG} objects STAKEHOLDER, KEY_VERSION and ENDPOINT, in the clear. */
  OWNER: 0x0101,
  /** Length and value of the record key, encrypted under the data encryption key of the session. */
  RECORD_KEY: 0x8101,
} as const;

/** Data objects of the records applet. */
export const RECORDS_TAG = {
  STAKEHOLDER: 0x80,
  KEY_VERSION: 0x81,
  ENDPOINT: 0x82,
  SEQUENCE: 0x83,
  CLOSED: 0x84,
} as const;
