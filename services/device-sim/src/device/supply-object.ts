import { isSefleetError } from '@sefleet/errors';
import { lwm2mError, parseOperations, type ObjectBehaviour, type ObjectModel } from '@sefleet/lwm2m';
import type { DeviceOwner } from './device-owner.ts';

/** The object through which a device takes part in a change of supplier; an id of OMA's private range. */
export const SUPPLY_OBJECT_ID = 30_002;

const RESOURCE = { INSTANT: 0, CLOSING: 1, WITHDRAW: 2, GO_ON: 3, OPENING: 4, ACCOUNT: 5 } as const;

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
    resource(RESOURCE.GO_ON, 'Go On', 'none', 'E'),
    resource(RESOURCE.OPENING, 'Opening Record', 'opaque', 'R'),
    resource(RESOURCE.ACCOUNT, 'Account', 'string', 'W'),
  ]),
};

/** What the device does when it is told of a switch. */
export const SUPPLY_BEHAVIOUR: ObjectBehaviour<DeviceOwner> = {
  read: ({ owner }, resourceId) => {
    if (resourceId === RESOURCE.CLOSING) return owner.supply.closingRecord;
    return resourceId === RESOURCE.OPENING ? owner.supply.openingRecord : undefined;
  },
  write: ({ owner }, resourceId, value) => {
    if (resourceId !== RESOURCE.INSTANT) return 'store';
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw lwm2mError('LWM2M_BAD_REQUEST', 'the instant is in milliseconds since 1970');
    }
    owner.supply.schedule(value);
    return 'handled';
  },
  execute: ({ owner }, resourceId) => {
    const done = resourceId === RESOURCE.WITHDRAW ? owner.supply.withdraw() : goOn(owner);
    if (!done) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'there is no cut-over in that state');
  },
};

/** Resources that exist though nothing is stored. */
export const SUPPLY_SUPPORTS: readonly number[] = Object.values(RESOURCE);

function goOn({ supply }: DeviceOwner): boolean {
  try {
    return supply.goOn();
  } catch (cause) {
    if (!isSefleetError(cause)) throw cause;
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'the card has no keys to go on with', { cause });
  }
}

function resource(
  id: number,
  name: string,
  type: 'integer' | 'opaque' | 'none' | 'string',
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
