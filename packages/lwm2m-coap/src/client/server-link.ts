import type { CoapReply, CoapRequest, CoapRequestInit, CoapResponse } from '@sefleet/coap';
import type { ObjectTree, SecurityAccount } from '@sefleet/lwm2m';
import type { Runtime, Timer } from '@sefleet/runtime';
import { clientError } from './errors.ts';
import type { Lwm2mClientEvents, Lwm2mClientSettings, Lwm2mConnection, Lwm2mTransport } from './settings.ts';

/** What a link needs of the client that it belongs to. */
export interface LinkOwner {
  readonly endpointName: string;
  readonly tree: ObjectTree;
  readonly runtime: Runtime;
  readonly transport: Lwm2mTransport;
  readonly settings: Lwm2mClientSettings;
  readonly events: Lwm2mClientEvents;
}

/** Who uses the link. */
export interface LinkUser {
  handle(request: CoapRequest): Promise<CoapReply>;
  /** The connection broke by itself. */
  lost(): void;
}

/**
 * The connection with one server, opened when needed, and whether its radio listens (queue mode, Core §6.5).
 */
export class ServerLink {
  readonly #owner: LinkOwner;
  readonly #shortServerId: number;
  readonly #user: LinkUser;
  #connection: Lwm2mConnection | undefined;
  #awakeTimer: Timer | undefined;
  #asleep = false;
  /** Counts closings: what was being opened before one is not wanted any more. */
  #closings = 0;

  constructor(owner: LinkOwner, shortServerId: number, user: LinkUser) {
    this.#owner = owner;
    this.#shortServerId = shortServerId;
    this.#user = user;
  }

  /** Opens the connection unless it is open. Rejects with what the transport rejects with. */
  async open(account: SecurityAccount): Promise<void> {
    if (this.#connection !== undefined) return;
    const { endpointName, tree, transport, events } = this.#owner;
    let broken: string | undefined;
    const held: { connection?: Lwm2mConnection } = {};
    const closings = this.#closings;
    const opened = await transport.connect({
      endpointName,
      account,
      tree,
      handler: (request) => this.#user.handle(request),
      lost: (reason) => {
        broken = reason;
        if (held.connection === undefined || this.#connection !== held.connection) return;
        this.#release();
        events.connectionLost?.(endpointName, this.#shortServerId, reason);
        this.#user.lost();
      },
    });
    if (closings !== this.#closings) {
      await opened.close();
      throw clientError('LWM2M_REGISTRATION_FAILED', 'the connection was closed while it was opened');
    }
    if (this.#connection !== undefined) await opened.close();
    else if (broken === undefined) {
      held.connection = opened;
      this.#connection = opened;
    } else
      throw clientError('LWM2M_REGISTRATION_FAILED', 'the connection broke', { context: { reason: broken } });
  }

  request(init: CoapRequestInit): Promise<CoapResponse> {
    const connection = this.#connection;
    if (connection === undefined) {
      return Promise.reject(clientError('LWM2M_REGISTRATION_FAILED', 'there is no connection'));
    }
    return connection.endpoint.request(connection.peer, init);
  }

  /** Listens again, if it slept. */
  wake(): void {
    if (!this.#asleep) return;
    this.#asleep = false;
    this.#connection?.setListening?.(true);
    this.#owner.events.awake?.(this.#owner.endpointName, this.#shortServerId);
  }

  /** Something was said: the awake time begins anew. Without queue mode a client never sleeps. */
  stayAwake(queueMode: boolean): void {
    this.#awakeTimer?.cancel();
    this.#awakeTimer = undefined;
    if (!queueMode || this.#connection === undefined) return;
    const { runtime, settings } = this.#owner;
    this.#awakeTimer = runtime.timers.after(settings.awakeTimeMs, () => this.#sleep());
  }

  async close(): Promise<void> {
    this.#closings++;
    const connection = this.#connection;
    this.#release();
    await connection?.close();
  }

  #sleep(): void {
    this.#awakeTimer = undefined;
    this.#asleep = true;
    this.#connection?.setListening?.(false);
    this.#owner.events.sleeping?.(this.#owner.endpointName, this.#shortServerId);
  }

  #release(): void {
    this.#awakeTimer?.cancel();
    this.#awakeTimer = undefined;
    this.#asleep = false;
    this.#connection = undefined;
  }
}
