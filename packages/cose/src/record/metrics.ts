/** A quantity that records carry. */
export interface Metric {
  /** Stands for the metric on the wire. Never given to another metric. */
  readonly id: number;
  readonly name: string;
  /** UCUM-like, as in SenML's registry where it has one (RFC 8428 §12.1). */
  readonly unit: string;
}

/** Every metric: 1 to 31 meters, 32 to 63 vehicles, 64 to 95 vital signs. */
export const METRICS: readonly Metric[] = [
  { id: 1, name: 'activeEnergyWh', unit: 'Wh' },
  { id: 2, name: 'activePowerW', unit: 'W' },
  { id: 3, name: 'exportedEnergyWh', unit: 'Wh' },
  { id: 4, name: 'voltageV', unit: 'V' },
  { id: 5, name: 'currentA', unit: 'A' },
  { id: 6, name: 'frequencyHz', unit: 'Hz' },
  { id: 7, name: 'reactivePowerVar', unit: 'var' },
  { id: 32, name: 'speedKmh', unit: 'km/h' },
  { id: 33, name: 'odometerM', unit: 'm' },
  { id: 34, name: 'latitude', unit: 'lat' },
  { id: 35, name: 'longitude', unit: 'lon' },
  { id: 36, name: 'headingDegrees', unit: 'deg' },
  { id: 37, name: 'batteryPercent', unit: '%' },
  { id: 38, name: 'fuelPercent', unit: '%' },
  { id: 39, name: 'engineSpeedRpm', unit: '1/min' },
  { id: 40, name: 'accelerationMs2', unit: 'm/s2' },
  { id: 64, name: 'heartRate', unit: '1/min' },
  { id: 65, name: 'oxygenSaturation', unit: '%' },
  { id: 66, name: 'systolicPressure', unit: 'mm[Hg]' },
  { id: 67, name: 'diastolicPressure', unit: 'mm[Hg]' },
  { id: 68, name: 'respiratoryRate', unit: '1/min' },
  { id: 69, name: 'bodyTemperature', unit: 'Cel' },
  { id: 70, name: 'glucose', unit: 'mg/dL' },
  { id: 71, name: 'measurementsTaken', unit: '1' },
  // How many values of the record the card found out of the bounds that the healthcare provider gave it.
  { id: 95, name: 'vitalSignAlarm', unit: '' },
];

const BY_ID = new Map(METRICS.map((metric) => [metric.id, metric]));
const BY_NAME = new Map(METRICS.map((metric) => [metric.name, metric]));

/** The metric of `id`; one that is not in the table is called `metric<id>` and has no unit. */
export function metricOf(id: number): Metric {
  return BY_ID.get(id) ?? { id, name: `metric${id}`, unit: '' };
}

/** The metric called `name`, if there is one. */
export function metricNamed(name: string): Metric | undefined {
  return BY_NAME.get(name);
}
