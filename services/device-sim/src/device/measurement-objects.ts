import type {
  ObjectBehaviour,
  ObjectDefinition,
  ObjectModel,
  ObjectTree,
  ResourceValue,
} from '@sefleet/lwm2m';
import type { DeviceKind } from '../device-kind.ts';
import type { DeviceOwner } from './device-owner.ts';

/** A resource that shows the newest value of a metric. */
interface Source {
  readonly resourceId: number;
  readonly metric: string;
  /** Multiplies the metric, where the resource has another unit. */
  readonly factor?: number;
}

/** One instance of an object of OMA's registry, and where its values come from. */
export interface MeasurementInstance {
  readonly objectId: number;
  readonly instanceId: number;
  readonly sources: readonly Source[];
  /** What does not change: units and the like. */
  readonly fixed: readonly (readonly [number, ResourceValue])[];
}

const VALUE = 5700;
const UNIT = 5701;
const APPLICATION_TYPE = 5750;
const KMH_TO_MS = 1 / 3.6;

/**
 * Location (6), Power Measurement (3305), Voltage (3316), Distance (3330), Generic Sensor (3300), Temperature
 * (3303), Rate (3346).
 */
export const MEASUREMENT_INSTANCES: Readonly<Record<DeviceKind, readonly MeasurementInstance[]>> = {
  'smart-meter': [
    location(52.52, 13.405),
    {
      objectId: 3305,
      instanceId: 0,
      sources: [
        { resourceId: 5800, metric: 'activePowerW' },
        { resourceId: 5805, metric: 'activeEnergyWh' },
      ],
      fixed: [],
    },
    sensor(3316, 0, 'voltageV', 'V', 'mains voltage'),
  ],
  obu: [
    {
      objectId: 6,
      instanceId: 0,
      sources: [
        { resourceId: 0, metric: 'latitude' },
        { resourceId: 1, metric: 'longitude' },
        { resourceId: 6, metric: 'speedKmh', factor: KMH_TO_MS },
      ],
      fixed: [],
    },
    sensor(3330, 0, 'odometerM', 'm', 'odometer'),
  ],
  'rpm-gateway': [
    location(52.52, 13.405),
    sensor(3346, 0, 'heartRate', '1/min', 'heart rate'),
    sensor(3346, 1, 'respiratoryRate', '1/min', 'respiratory rate'),
    sensor(3303, 0, 'bodyTemperature', 'Cel', 'body temperature'),
    sensor(3300, 0, 'oxygenSaturation', '%', 'oxygen saturation'),
    sensor(3300, 1, 'systolicPressure', 'mm[Hg]', 'systolic pressure'),
    sensor(3300, 2, 'diastolicPressure', 'mm[Hg]', 'diastolic pressure'),
  ],
};

/**
 * A sensor that is paired with a gateway: a device of its own below a prefix (LwM2M Gateway, objects 25 and
 * 26).
 */
export interface PairedSensor {
  readonly prefix: string;
  readonly model: string;
  readonly instances: readonly MeasurementInstance[];
}

/**
 * The sensors of a kit. The gateway itself shows the same values, newest first, for servers that know no
 * prefixes.
 */
export const PAIRED_SENSORS: Readonly<Record<DeviceKind, readonly PairedSensor[]>> = {
  'smart-meter': [],
  obu: [],
  'rpm-gateway': [
    {
      prefix: 'cuff',
      model: 'BP-1',
      instances: [
        sensor(3300, 0, 'systolicPressure', 'mm[Hg]', 'systolic pressure'),
        sensor(3300, 1, 'diastolicPressure', 'mm[Hg]', 'diastolic pressure'),
      ],
    },
    {
      prefix: 'oximeter',
      model: 'OX-1',
      instances: [
        sensor(3300, 0, 'oxygenSaturation', '%', 'oxygen saturation'),
        sensor(3346, 0, 'heartRate', '1/min', 'heart rate'),
        sensor(3346, 1, 'respiratoryRate', '1/min', 'respiratory rate'),
      ],
    },
    {
      prefix: 'thermometer',
      model: 'TH-1',
      instances: [sensor(3303, 0, 'bodyTemperature', 'Cel', 'body temperature')],
    },
  ],
};

/** Timestamp of Location: the newest fix. */
const LOCATION_TIME = 5;

/** The definitions of a kind's measurement objects, or of a sensor's. */
export function createMeasurementObjects(
  all: readonly MeasurementInstance[],
  modelOf: (objectId: number, version?: string) => ObjectModel,
): readonly ObjectDefinition<DeviceOwner>[] {
  const objectIds = new Set(all.map(({ objectId }) => objectId));
  return [...objectIds].map((objectId) => {
    const instances = all.filter((instance) => instance.objectId === objectId);
    const supports = new Set(instances.flatMap(({ sources }) => sources.map(({ resourceId }) => resourceId)));
    if (objectId === 6) supports.add(LOCATION_TIME);
    return {
      // Version 1.0 needs no version in the registration's links (Core §7.2.2).
      model: modelOf(objectId, '1.0'),
      supports: [...supports],
      behaviour: behaviourOf(instances),
    };
  });
}

/** Tells observers that the newest reading has other values. */
export function measurementsChanged(
  tree: ObjectTree<DeviceOwner>,
  instances: readonly MeasurementInstance[],
): void {
  for (const { objectId, instanceId, sources } of instances) {
    const instance = tree.instance(objectId, instanceId);
    for (const { resourceId } of sources) instance?.changed(resourceId);
  }
}

function behaviourOf(instances: readonly MeasurementInstance[]): ObjectBehaviour<DeviceOwner> {
  const byInstance = new Map(
    instances.map(({ instanceId, sources }) => [
      instanceId,
      new Map(sources.map((source) => [source.resourceId, source])),
    ]),
  );
  return {
    read: ({ id, owner, object }, resourceId) => {
      if (object.id === 6 && resourceId === LOCATION_TIME) return Math.floor(owner.nowMs() / 1000);
      const source = byInstance.get(id)?.get(resourceId);
      if (source === undefined) return undefined;
      const value = owner.measured(source.metric) ?? 0;
      return source.factor === undefined ? value : value * source.factor;
    },
  };
}

function sensor(
  objectId: number,
  instanceId: number,
  metric: string,
  unit: string,
  application: string,
): MeasurementInstance {
  const fixed = [
    [UNIT, unit],
    [APPLICATION_TYPE, application],
  ] as const;
  return { objectId, instanceId, sources: [{ resourceId: VALUE, metric }], fixed };
}

/** Of a device that stays where it is. */
function location(latitude: number, longitude: number): MeasurementInstance {
  const fixed = [
    [0, latitude],
    [1, longitude],
  ] as const;
  return { objectId: 6, instanceId: 0, sources: [], fixed };
}
