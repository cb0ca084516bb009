/** Objects that vehicle diagnostics show to their owner. */
export const VEHICLE_TAG = {
  /** Metres, eight bytes (IEEE 754); absent before the first reading. */
  ODOMETER: 0x80,
  /** Trips so far, four bytes, and metres of the present or last one. */
  TRIPS: 0x81,
  TRIP_DISTANCE: 0x82,
  /** Two bytes for each trouble code (ISO 15031-6), in the order in which they came up. */
  TROUBLE_CODES: 0x83,
} as const;
