import { Lwm2mPath, parseOperations } from '@sefleet/lwm2m';
import type { ObjectModel } from '@sefleet/lwm2m';

/** The object through which sealed telemetry records leave a device; an id of OMA's private range. */
export const SEALED_RECORDS_OBJECT_ID = 30_001;

/** One sealed record (a tagged COSE_Encrypt0) per SenML record of a Send or a notification. */
export const SEALED_RECORD_PATH = new Lwm2mPath(SEALED_RECORDS_OBJECT_ID, 0, 0);

/** Definition of object 30001; models/30001.xml says the same. */
export const SEALED_RECORDS_MODEL: ObjectModel = {
  id: SEALED_RECORDS_OBJECT_ID,
  name: 'Sealed Record Outbox',
  version: '1.0',
  multiple: false,
  mandatory: false,
  resources: new Map([
    [
      0,
      {
        id: 0,
        name: 'Sealed Record',
        type: 'opaque',
        operations: parseOperations('R'),
        multiple: false,
        mandatory: true,
      },
    ],
  ]),
};
