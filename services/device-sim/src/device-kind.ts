/** What a device is. */
export type DeviceKind = 'smart-meter' | 'obu' | 'rpm-gateway';

/** All kinds, in the order of reports. */
export const DEVICE_KINDS: readonly DeviceKind[] = ['smart-meter', 'obu', 'rpm-gateway'];

/** What the simulator knows of a kind. */
export interface KindFacts {
  /** Between `urn:dev:sefleet:` and the number in an endpoint name. */
  readonly endpointStem: string;
  readonly readingIntervalMs: number;
  readonly model: string;
  /**
   * Parties with a Security Domain on the card for whom no readings are sealed: they own the device or care
   * for it. Who is left is the stakeholder that the readings are for, also after a change of supplier.
   */
  readonly withoutReadings: readonly string[];
}

export const KIND_FACTS: Readonly<Record<DeviceKind, KindFacts>> = {
  'smart-meter': {
    endpointStem: 'meter',
    readingIntervalMs: 5000,
    model: 'SM-1',
    withoutReadings: ['city-grid', 'household'],
  },
  obu: {
    endpointStem: 'obu',
    readingIntervalMs: 2000,
    model: 'OBU-1',
    withoutReadings: ['apex-motors', 'corner-garage', 'vehicle-owner'],
  },
  'rpm-gateway': {
    endpointStem: 'gateway',
    readingIntervalMs: 5000,
    model: 'RPM-1',
    withoutReadings: ['carekit-leasing', 'patient'],
  },
};

/** The endpoint name of the device with this number (from 1) among those of its kind. */
export function endpointName(kind: DeviceKind, number: number): string {
  return `urn:dev:sefleet:${KIND_FACTS[kind].endpointStem}-${String(number).padStart(6, '0')}`;
}
