import type { CoapEndpoint, RequestHandler } from '@sefleet/coap';
import type { ContentFormat, ObjectTree, RetryParameters, SecurityAccount } from '@sefleet/lwm2m';
import { CONTENT_FORMAT, DATA_FORMATS, RETRY_DEFAULT } from '@sefleet/lwm2m';
import type { Peer, Runtime } from '@sefleet/runtime';

/** A conversation with one server, secured as its Security account asks. */
export interface Lwm2mConnection {
  readonly endpoint: CoapEndpoint;
  readonly peer: Peer;
  /** False: drop what arrives, as a modem that sleeps; true: listen again. For queue mode. */
  setListening?(listening: boolean): void;
  /** Ends the conversation; what is shared with other devices stays. */
  close(): Promise<void>;
}

/** What a connection is opened for. */
export interface ConnectRequest {
  readonly endpointName: string;
  readonly account: SecurityAccount;
  /** The device, whose secure element may hold the account's key. */
  readonly tree: ObjectTree;
  /** Answers what the server asks. */
  readonly handler: RequestHandler;
  /** To be called when the conversation broke by itself; `close` is not called then. */
  readonly lost: (reason: string) => void;
}

/**
 * Opens connections; one serves a whole fleet. Whoever wires coap and dtls supplies it.
 *
 * `connect` rejects when the server cannot be reached or refuses the device. A `SefleetError` whose context
 * has a number `alert` tells the TLS alert, which then stands in resource 11 of the server's account.
 */
export interface Lwm2mTransport {
  connect(request: ConnectRequest): Promise<Lwm2mConnection>;
}

/** What a fleet of clients has in common. Times are milliseconds unless the name says seconds. */
export interface Lwm2mClientSettings {
  /** Enabler version in the registration. */
  readonly version: '1.0' | '1.1' | '1.2';
  /** Content formats that registrations announce as `ct`, if any; the client understands all of them. */
  readonly announcedFormats: readonly ContentFormat[];
  /** How long a queue-mode client listens after the last message: CoAP's MAX_TRANSMIT_WAIT (Core §6.5). */
  readonly awakeTimeMs: number;
  /** How long before the lifetime ends the Update goes out: CoAP's MAX_TRANSMIT_WAIT (Core §6.2.2). */
  readonly updateMarginMs: number;
  /** Longest silence of a bootstrap server during a bootstrap: CoAP's EXCHANGE_LIFETIME (Core §6.1.5). */
  readonly bootstrapTimeoutMs: number;
  /** How long the bootstrap connection stays, for a Finish whose answer was lost. */
  readonly bootstrapLingerMs: number;
  /** Retries of the bootstrap itself. */
  readonly bootstrapRetry: RetryParameters;
  /** Ask for a Bootstrap-Pack first (LwM2M 1.2 §6.1.7.8). */
  readonly bootstrapPack: boolean;
  /** `pct` of the Bootstrap-Request. */
  readonly bootstrapFormat: ContentFormat;
  /** Format of Send. */
  readonly sendFormat: ContentFormat;
  /** Entries that wait to be sent while there is no registration; older ones are dropped. */
  readonly outboxEntriesMax: number;
  /** Entries of waiting Sends that travel together once there is a connection. */
  readonly sendBatchEntries: number;
  /**
   * Notifications are confirmable unless the `con` attribute says otherwise; undefined leaves it to CoAP's
   * settings.
   */
  readonly confirmableNotifications: boolean | undefined;
  /**
   * Notifications that are kept for a server while it cannot be told, where its account asks for it (Core
   * appendix E.2, resource 6); older ones are dropped.
   */
  readonly storedNotificationsMax: number;
  /**
   * Delay before a lost connection is opened again, drawn from 0 to this, so that a fleet does not return as
   * one.
   */
  readonly reconnectSpreadMs: number;
}

export const DEFAULT_CLIENT_SETTINGS: Lwm2mClientSettings = {
  version: '1.1',
  announcedFormats: DATA_FORMATS,
  awakeTimeMs: 93_000,
  updateMarginMs: 93_000,
  bootstrapTimeoutMs: 247_000,
  bootstrapLingerMs: 5_000,
  bootstrapRetry: RETRY_DEFAULT,
  bootstrapPack: false,
  bootstrapFormat: CONTENT_FORMAT.SENML_CBOR,
  sendFormat: CONTENT_FORMAT.SENML_CBOR,
  outboxEntriesMax: 1_000,
  sendBatchEntries: 64,
  confirmableNotifications: undefined,
  storedNotificationsMax: 200,
  reconnectSpreadMs: 2_000,
};

/** The state of a client as a whole. */
export type Lwm2mClientState = 'stopped' | 'bootstrapping' | 'registering' | 'registered' | 'failed';

/** What clients tell; one object serves a fleet. Handlers must not throw. */
export interface Lwm2mClientEvents {
  stateChanged?(endpointName: string, state: Lwm2mClientState): void;
  bootstrapped?(endpointName: string, durationMs: number): void;
  bootstrapFailed?(endpointName: string, error: unknown): void;
  registered?(endpointName: string, shortServerId: number): void;
  updated?(endpointName: string, shortServerId: number): void;
  deregistered?(endpointName: string, shortServerId: number): void;
  /** An attempt to register failed; undefined seconds: no further attempt. */
  registrationFailed?(
    endpointName: string,
    shortServerId: number,
    error: unknown,
    retrySeconds: number | undefined,
  ): void;
  /** A queue-mode client stops or begins to listen. */
  sleeping?(endpointName: string, shortServerId: number): void;
  awake?(endpointName: string, shortServerId: number): void;
  connectionLost?(endpointName: string, shortServerId: number, reason: string): void;
  /** A handler of the device's data model failed by its own fault. */
  handlerFailed?(endpointName: string, error: unknown): void;
}

/** How a client is made. All but the first two may be shared by a fleet. */
export interface Lwm2mClientOptions {
  readonly endpointName: string;
  /** The device's objects; 0 and 1 have to be among them. */
  readonly tree: ObjectTree;
  readonly runtime: Runtime;
  readonly transport: Lwm2mTransport;
  readonly settings?: Lwm2mClientSettings;
  readonly events?: Lwm2mClientEvents;
}
