/** Objects that a metering applet shows to its owner. */
export const METERING_TAG = {
  /** Metric id in two bytes, value in eight (IEEE 754). */
  REGISTER: 0x80,
  /** Number of the rate, then what was consumed at it, in Wh. */
  RATE: 0x81,
  /** The total register where accounting by rates began. */
  SINCE: 0x82,
  TARIFF: 0xa3,
} as const;
