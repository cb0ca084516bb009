import { AnnouncementTable } from '@sefleet/lwm2m-coap';
import type { OperationResult, ReadResult, RegisteredDevice } from '@sefleet/lwm2m-coap';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { Lwm2mValue } from '@sefleet/lwm2m';

const CHANGED: OperationResult = { code: 0x44, success: true };

/** A registered device whose answers the test writes. */
export class FakeDevice implements RegisteredDevice {
  reachable = true;
  readonly sleeping = false;
  readonly gateway = undefined;
  readonly calls: string[] = [];
  readonly values = new Map<string, Lwm2mValue>();
  answer: () => Promise<OperationResult> = () => Promise.resolve(CHANGED);
  readonly registration;

  constructor(endpoint: string) {
    this.registration = {
      id: endpoint,
      endpoint,
      credential: `psk:${endpoint}`,
      kind: 'smart-meter',
      version: '1.1',
      lifetimeSeconds: 300,
      binding: 'U',
      queueMode: false,
      smsNumber: undefined,
      announcement: new AnnouncementTable().parse(new TextEncoder().encode('</1/0>,</3/0>')),
      registeredAtMs: 0,
      updatedAtMs: 0,
    };
  }

  observations(): readonly (readonly string[])[] {
    return [];
  }

  read(path: Lwm2mPath): Promise<ReadResult> {
    const value = this.values.get(path.toString());
    const entries = value === undefined ? [] : [{ path, value }];
    const payload = new Uint8Array(0);
    return Promise.resolve({ code: 0x45, success: true, entries, payload, contentFormat: 112 });
  }

  write(path: Lwm2mPath): Promise<OperationResult> {
    return this.#call(`write ${path.toString()}`);
  }

  writeOpaque(path: Lwm2mPath): Promise<OperationResult> {
    return this.#call(`write ${path.toString()}`);
  }

  execute(path: Lwm2mPath): Promise<OperationResult> {
    return this.#call(`execute ${path.toString()}`);
  }

  create(path: Lwm2mPath): Promise<OperationResult & { location: undefined }> {
    return this.#call(`create ${path.toString()}`).then((result) => ({ ...result, location: undefined }));
  }

  delete(path: Lwm2mPath): Promise<OperationResult> {
    return this.#call(`delete ${path.toString()}`);
  }

  discover(): Promise<OperationResult & { links: []; linkFormat: string }> {
    return Promise.resolve({ ...CHANGED, links: [], linkFormat: '' });
  }

  writeAttributes(path: Lwm2mPath): Promise<OperationResult> {
    return this.#call(`attributes ${path.toString()}`);
  }

  readComposite(): Promise<ReadResult> {
    return this.read(Lwm2mPath.ROOT);
  }

  writeComposite(): Promise<OperationResult> {
    return this.#call('write /');
  }

  observe(): Promise<ReadResult> {
    return this.read(Lwm2mPath.ROOT);
  }

  cancelObservation(): Promise<boolean> {
    return Promise.resolve(false);
  }

  #call(name: string): Promise<OperationResult> {
    this.calls.push(name);
    return this.answer();
  }
}
