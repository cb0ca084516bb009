import { isSefleetError } from '@sefleet/errors';
import {
  lwm2mError,
  ObjectTree,
  omaModels,
  type ObjectBehaviour,
  type ObjectDefinition,
  type ObjectModel,
  type ResourceValue,
} from '@sefleet/lwm2m';
import {
  APDU_EXCHANGE_MODEL,
  APDU_EXCHANGE_OBJECT_ID,
  SEALED_RECORDS_MODEL,
  SEALED_RECORDS_OBJECT_ID,
} from '@sefleet/lwm2m-coap';
import { KIND_FACTS, type DeviceKind } from '../device-kind.ts';
import { simulationError } from '../errors.ts';
import type { DeviceOwner } from './device-owner.ts';
import { FACTORY_FIRMWARE } from './device-firmware.ts';
import { FIRMWARE_DEFAULTS, FIRMWARE_OBJECT } from './firmware-object.ts';
import {
  createMeasurementObjects,
  MEASUREMENT_INSTANCES,
  measurementsChanged,
  PAIRED_SENSORS,
  type MeasurementInstance,
} from './measurement-objects.ts';
import { SERVER_BEHAVIOUR } from './server-object.ts';
import { SUPPLY_BEHAVIOUR, SUPPLY_MODEL, SUPPLY_OBJECT_ID, SUPPLY_SUPPORTS } from './supply-object.ts';

/** A tree with every object of the kind and the instances that a device leaves the factory with. */
export function createDeviceTree(owner: DeviceOwner): ObjectTree<DeviceOwner> {
  const tree = new ObjectTree<DeviceOwner>(definitionsOf(owner.kind), owner, omaModels());
  for (const [objectId, instanceId, values] of factoryInstances(owner.kind)) {
    tree.require(objectId).add(instanceId, values);
  }
  return tree;
}

/** The trees of the sensors that are paired with a gateway, by prefix. */
export function createSensorTrees(owner: DeviceOwner): ReadonlyMap<string, ObjectTree<DeviceOwner>> {
  const trees = new Map<string, ObjectTree<DeviceOwner>>();
  for (const { prefix, model, instances } of PAIRED_SENSORS[owner.kind]) {
    const tree = new ObjectTree<DeviceOwner>(sensorDefinitions(prefix, instances), owner, omaModels());
    tree.require(3).add(0, [
      [DEVICE_RESOURCE.MANUFACTURER, 'sefleet'],
      [DEVICE_RESOURCE.MODEL, model],
      [DEVICE_RESOURCE.ERROR_CODE, NO_ERROR],
    ]);
    for (const { objectId, instanceId, fixed } of instances) tree.require(objectId).add(instanceId, fixed);
    trees.set(prefix, tree);
  }
  return trees;
}

/** Tells whoever observes values of the newest reading, on the device or on a sensor behind it. */
export function announceReading(
  tree: ObjectTree<DeviceOwner>,
  sensors: ReadonlyMap<string, ObjectTree<DeviceOwner>>,
): void {
  const { kind } = tree.owner;
  measurementsChanged(tree, MEASUREMENT_INSTANCES[kind]);
  for (const { prefix, instances } of PAIRED_SENSORS[kind]) {
    const sensor = sensors.get(prefix);
    if (sensor !== undefined) measurementsChanged(sensor, instances);
  }
}

const DEVICE_RESOURCE = {
  MANUFACTURER: 0,
  MODEL: 1,
  SERIAL: 2,
  FIRMWARE: 3,
  REBOOT: 4,
  ERROR_CODE: 11,
  RESET_ERROR_CODE: 12,
  CURRENT_TIME: 13,
  UTC_OFFSET: 14,
  TIMEZONE: 15,
  BINDING: 16,
  DEVICE_TYPE: 17,
} as const;

const DEVICE_BEHAVIOUR: ObjectBehaviour<DeviceOwner> = {
  read: ({ owner }, resourceId): ResourceValue | undefined => {
    switch (resourceId) {
      case DEVICE_RESOURCE.SERIAL:
        return owner.serialNumber;
      case DEVICE_RESOURCE.CURRENT_TIME:
        return Math.floor(owner.nowMs() / 1000);
      default:
        return undefined;
    }
  },
  // Servers may set the clock; the simulated one is the machine's and stays right.
  write: (_instance, resourceId) => (resourceId === DEVICE_RESOURCE.CURRENT_TIME ? 'handled' : 'store'),
  execute: (instance, resourceId) => {
    if (resourceId === DEVICE_RESOURCE.REBOOT) instance.owner.reboot();
    else if (resourceId === DEVICE_RESOURCE.RESET_ERROR_CODE) {
      instance.set(DEVICE_RESOURCE.ERROR_CODE, new Map([[0, 0]]));
    } else throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'the device does not offer this');
  },
};

const APDU_BEHAVIOUR: ObjectBehaviour<DeviceOwner> = {
  write: (instance, _resourceId, value) => {
    if (!(value instanceof Uint8Array)) throw lwm2mError('LWM2M_BAD_REQUEST', 'a script is opaque');
    return runScript(instance.owner, value).then((responses) => instance.set(1, responses));
  },
};

async function runScript(owner: DeviceOwner, script: Uint8Array): Promise<Uint8Array> {
  try {
    return await owner.runApduScript(script);
  } catch (cause) {
    if (!isSefleetError(cause, 'APDU_SCRIPT_INVALID')) throw cause;
    throw lwm2mError('LWM2M_BAD_REQUEST', cause.message, { cause });
  }
}

const SEALED_BEHAVIOUR: ObjectBehaviour<DeviceOwner> = {
  read: ({ owner }) => owner.newestRecord() ?? new Uint8Array(0),
};

const sensorObjects = new Map<string, readonly ObjectDefinition<DeviceOwner>[]>();

/** The objects of a kind of sensor: made once. */
function sensorDefinitions(
  prefix: string,
  instances: readonly MeasurementInstance[],
): readonly ObjectDefinition<DeviceOwner>[] {
  let known = sensorObjects.get(prefix);
  if (known === undefined) {
    known = [{ model: modelOf(3, '1.1') }, ...createMeasurementObjects(instances, modelOf)];
    sensorObjects.set(prefix, known);
  }
  return known;
}

const definitions = new Map<DeviceKind, readonly ObjectDefinition<DeviceOwner>[]>();

/** The objects of a kind: made once, shared by all its devices. */
function definitionsOf(kind: DeviceKind): readonly ObjectDefinition<DeviceOwner>[] {
  let known = definitions.get(kind);
  if (known === undefined) {
    const { REBOOT, SERIAL, CURRENT_TIME, RESET_ERROR_CODE } = DEVICE_RESOURCE;
    known = [
      { model: modelOf(0, '1.1') },
      { model: modelOf(1, '1.1'), supports: [4, 8, 9], behaviour: SERVER_BEHAVIOUR },
      {
        model: modelOf(3, '1.1'),
        supports: [SERIAL, REBOOT, RESET_ERROR_CODE, CURRENT_TIME],
        behaviour: DEVICE_BEHAVIOUR,
      },
      // Without instances, and with one server, everything is allowed; a second server brings its lists (Core
      // §8.2).
      { model: modelOf(2) },
      { model: modelOf(4, '1.1') },
      FIRMWARE_OBJECT,
      ...createMeasurementObjects(MEASUREMENT_INSTANCES[kind], modelOf),
      ...(PAIRED_SENSORS[kind].length === 0 ? [] : [{ model: modelOf(25) }]),
      { model: APDU_EXCHANGE_MODEL, supports: [0], behaviour: APDU_BEHAVIOUR },
      { model: SEALED_RECORDS_MODEL, supports: [0], behaviour: SEALED_BEHAVIOUR },
      { model: SUPPLY_MODEL, supports: SUPPLY_SUPPORTS, behaviour: SUPPLY_BEHAVIOUR },
    ];
    definitions.set(kind, known);
  }
  return known;
}

type Instance = readonly [
  objectId: number,
  instanceId: number,
  values: readonly (readonly [number, ResourceValue])[],
];

function factoryInstances(kind: DeviceKind): readonly Instance[] {
  const { model } = KIND_FACTS[kind];
  return [
    [
      3,
      0,
      [
        [DEVICE_RESOURCE.MANUFACTURER, 'sefleet'],
        [DEVICE_RESOURCE.MODEL, model],
        [DEVICE_RESOURCE.FIRMWARE, FACTORY_FIRMWARE.version],
        [DEVICE_RESOURCE.ERROR_CODE, NO_ERROR],
        [DEVICE_RESOURCE.UTC_OFFSET, '+01:00'],
        [DEVICE_RESOURCE.TIMEZONE, 'Europe/Berlin'],
        [DEVICE_RESOURCE.BINDING, 'UT'],
        [DEVICE_RESOURCE.DEVICE_TYPE, kind],
      ],
    ],
    [4, 0, CONNECTIVITY],
    [5, 0, FIRMWARE_DEFAULTS],
    ...MEASUREMENT_INSTANCES[kind].map(({ objectId, instanceId, fixed }): Instance => [
      objectId,
      instanceId,
      fixed,
    ]),
    [APDU_EXCHANGE_OBJECT_ID, 0, [[1, new Uint8Array(0)]]],
    [SEALED_RECORDS_OBJECT_ID, 0, []],
    [SUPPLY_OBJECT_ID, 0, []],
  ];
}

const NO_ERROR: ResourceValue = new Map([[0, 0]]);
/**
 * Bearer Ethernet (41), an address on loopback, full signal: Connectivity Monitoring of a device on this
 * machine.
 */
const CONNECTIVITY: readonly (readonly [number, ResourceValue])[] = [
  [0, 41],
  [1, new Map([[0, 41]])],
  [2, 0],
  [4, new Map([[0, '127.0.0.1']])],
];

function modelOf(objectId: number, version?: string): ObjectModel {
  const model = omaModels().object(objectId, version) ?? omaModels().object(objectId);
  if (model === undefined) throw simulationError('SIM_PLAN_INVALID', `no model of object ${objectId}`);
  return model;
}
