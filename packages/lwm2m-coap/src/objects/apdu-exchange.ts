import { Lwm2mPath, parseOperations } from '@sefleet/lwm2m';
import type { ObjectModel, ResourceModel } from '@sefleet/lwm2m';

/**
 * The object that carries APDUs to a device's secure element; an id of OMA's private range (26241 to 32768).
 */
export const APDU_EXCHANGE_OBJECT_ID = 30_000;

/** Writing the command script runs it; the Write is answered when the script has run. */
export const APDU_COMMAND_PATH = new Lwm2mPath(APDU_EXCHANGE_OBJECT_ID, 0, 0);
/** Reading it gives the answers to the command script that was written last. */
export const APDU_RESPONSE_PATH = new Lwm2mPath(APDU_EXCHANGE_OBJECT_ID, 0, 1);

/** Definition of object 30000; models/30000.xml says the same. */
export const APDU_EXCHANGE_MODEL: ObjectModel = {
  id: APDU_EXCHANGE_OBJECT_ID,
  name: 'APDU Exchange',
  version: '1.0',
  multiple: false,
  mandatory: false,
  resources: new Map([
    [0, script(0, 'Command Script', 'W')],
    [1, script(1, 'Response Script', 'R')],
  ]),
};

function script(id: number, name: string, operations: 'R' | 'W'): ResourceModel {
  return {
    id,
    name,
    type: 'opaque',
    operations: parseOperations(operations),
    multiple: false,
    mandatory: true,
  };
}
