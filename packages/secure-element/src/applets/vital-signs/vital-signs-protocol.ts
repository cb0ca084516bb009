/** Objects that vital signs show to their owner. */
export const VITAL_SIGNS_TAG = {
  /** As the owner stored them: metric id in two bytes, lower and upper bound in eight each. */
  BOUNDS: 0x80,
  /** Metric ids, two bytes each, that were out of their bounds since the last CLEAR; empty: no alarm. */
  ALARM: 0x81,
  /** When the alarm was first raised, milliseconds since 1970, eight bytes; absent without one. */
  ALARM_SINCE: 0x82,
} as const;
