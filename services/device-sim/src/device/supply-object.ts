import { lwm2mError, parseOperations, type ObjectBehaviour, type ObjectModel } from '@sefleet/lwm2m';
import { isSefleetError } from '@sefleet/errors';
import { decodeDeviceOrder } from '@sefleet/secure-element';
import type { DeviceOwner } from './device-owner.ts';

/** The object through which a device takes part in a change of supplier; an id of OMA's private range. */
export const SUPPLY_OBJECT_ID = 30_002;

const RESOURCE = { INSTANT: 0, CLOSING: 1, WITHDRAW: 2, ORDER: 3, OPENING: 4 } as const;
/** An AID and a secret, with their tags: nothing longer is one. */
const MAX_ORDER_BYTES = 64;

/** Definition of object 30002. */
export const SUPPLY_MODEL: ObjectModel = {
  id: SUPPLY_OBJECT_ID,
  name: 'Supply Contract',
  version: '1.0',
  multiple: false,
  mandatory: false,
  resources: new Map([
    resource(RESOURCE.INSTANT, 'Instant', 'integer', 'W'),
    resource(RESOURCE.CLOSING, 'Closing Record', 'opaque', 'R'),
    resource(RESOURCE.WITHDRAW, 'Withdraw', 'none', 'E'),
    resource(RESOURCE.ORDER, 'Order', 'opaque', 'W'),
    resource(RESOURCE.OPENING, 'Opening Record', 'opaque', 'R'),
  ]),
};

/** What the device does when it is told of a switch. */
export const SUPPLY_BEHAVIOUR: ObjectBehaviour<DeviceOwner> = {
  read: ({ owner }, resourceId) => {
    const { cutOver } = owner.supply;
    if (resourceId === RESOURCE.CLOSING) return cutOver?.closing;
    return resourceId === RESOURCE.OPENING ? cutOver?.opening : undefined;
  },
  write: ({ owner }, resourceId, value) => {
    if (resourceId === RESOURCE.ORDER) return takeOrder(owner, value);
    if (resourceId !== RESOURCE.INSTANT) return 'store';
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw lwm2mError('LWM2M_BAD_REQUEST', 'the instant is in milliseconds since 1970');
    }
    if (!owner.supply.schedule(value)) {
      throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'an instant follows the order that it is for');
    }
    return 'handled';
  },
  execute: ({ owner }) => {
    if (!owner.supply.withdraw()) {
      throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'the cut-over reading has been taken');
    }
  },
};

/** Resources that exist though nothing is stored. */
export const SUPPLY_SUPPORTS: readonly number[] = Object.values(RESOURCE);

function takeOrder({ supply }: DeviceOwner, value: unknown): 'handled' {
  if (!(value instanceof Uint8Array) || value.length === 0 || value.length > MAX_ORDER_BYTES) {
    throw lwm2mError('LWM2M_BAD_REQUEST', `an order has 1 to ${MAX_ORDER_BYTES} bytes`);
  }
  if (!isOrder(value)) throw lwm2mError('LWM2M_BAD_REQUEST', 'the order names no applet');
  supply.prepare(Uint8Array.from(value));
  return 'handled';
}

function isOrder(value: Uint8Array): boolean {
  try {
    decodeDeviceOrder(value);
    return true;
  } catch (error) {
    if (isSefleetError(error)) return false;
    throw error;
  }
}

function resource(
  id: number,
  name: string,
  type: 'integer' | 'opaque' | 'none',
  operations: 'R' | 'W' | 'E',
) {
  const model = {
    id,
    name,
    type,
    operations: parseOperations(operations),
    multiple: false,
    mandatory: false,
  };
  return [id, model] as const;
}
