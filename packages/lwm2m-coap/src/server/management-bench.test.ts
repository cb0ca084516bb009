import { CODE, createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, CoapReply, CoapRequest } from '@sefleet/coap';
import { omaModels } from '@sefleet/lwm2m';
import type { Lwm2mEntry } from '@sefleet/lwm2m';
import type { Peer } from '@sefleet/runtime';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { createLwm2mServer } from './management-server.ts';
import type { Lwm2mServer } from './lwm2m-server.ts';
import type { Lwm2mServerOptions, SendVerdict } from './settings.ts';

export const models = omaModels();

/** A server and a device that is nothing but a CoAP endpoint, on a simulated network. */
export class Bench {
  readonly runtime = new SimRuntime(1);
  readonly network = new SimNetwork(this.runtime);
  readonly log: string[] = [];
  readonly sent: (readonly Lwm2mEntry[])[] = [];
  readonly requests: CoapRequest[] = [];
  verdict: () => SendVerdict | Promise<SendVerdict> = () => ({ kind: 'accepted' });
  answer: (request: CoapRequest) => CoapReply = () => ({ code: CODE.CHANGED });
  readonly server: Lwm2mServer;
  readonly device: CoapEndpoint;
  readonly serverPeer: Peer;
  readonly serverEndpoint: CoapEndpoint;

  constructor(options: Partial<Lwm2mServerOptions> = {}) {
    const note = (name: string) => (registration: { endpoint: string }) =>
      void this.log.push(`${name} ${registration.endpoint}`);
    this.server = createLwm2mServer({
      runtime: this.runtime,
      models,
      authoriser: {
        authorise: (_peer, endpoint) =>
          endpoint === undefined || endpoint === 'stranger' ? undefined : { endpoint, kind: 'smart-meter' },
      },
      consumer: {
        send: (_registration, entries) => {
          this.sent.push(entries);
          return this.verdict();
        },
        notification: (_registration, paths, entries) =>
          void this.log.push(`notification ${paths.join()} ${JSON.stringify(entries[0]?.value)}`),
      },
      events: {
        registered: note('registered'),
        updated: note('updated'),
        deregistered: note('deregistered'),
        expired: note('expired'),
        sleeping: note('sleeping'),
        awake: note('awake'),
        refused: ({ reason }) => void this.log.push(`refused ${reason}`),
      },
      ...options,
    });
    const { runtime } = this;
    const channel = this.network.bind('10.0.0.1', 5683);
    this.serverEndpoint = this.server.listen((handler) => createCoapEndpoint({ runtime, channel, handler }));
    const own = this.network.bind('10.0.0.2');
    const handler = (request: CoapRequest): CoapReply => {
      this.requests.push(request);
      return this.answer(request);
    };
    this.device = createCoapEndpoint({ runtime, channel: own, handler });
    this.serverPeer = own.peerAt('10.0.0.1', 5683);
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const settled = promise.finally(() => (done = true));
    settled.catch(() => {});
    await this.runtime.runUntil(() => done, 600_000);
    return settled;
  }

  post(path: string, query: string[] = [], payload = '', contentFormat?: number) {
    return this.settle(
      this.device.request(this.serverPeer, { method: 'POST', path, query, payload, contentFormat }),
    );
  }

  register(query: string[] = []) {
    const base = ['ep=meter', 'lwm2m=1.1', 'lt=300', ...query];
    return this.post('/rd', base, '</>;rt="oma.lwm2m";ct="110 112 11542",</3/0>', 40);
  }
}
