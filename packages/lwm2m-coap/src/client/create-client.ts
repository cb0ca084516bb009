import {
  AttributeStore,
  bootstrapAccount,
  Lwm2mPath,
  OBJECT_ID,
  readEntries,
  serverAccounts,
} from '@sefleet/lwm2m';
import type { Lwm2mEntry, ObjectTree, RegistrationState, TreeListener } from '@sefleet/lwm2m';
import type { Runtime } from '@sefleet/runtime';
import { Bootstrapping } from './bootstrapping.ts';
import type { BootstrapHost } from './bootstrapping.ts';
import { EndDevices } from './end-devices.ts';
import { clientError } from './errors.ts';
import type { Lwm2mClient } from './lwm2m-client.ts';
import { Outbox } from './outbox.ts';
import type { OutboxHost, SendOutcome } from './outbox.ts';
import { RegistrationSession } from './registration-session.ts';
import type { SessionOwner } from './registration-session.ts';
import { SessionPrints } from './session-revision.ts';
import { DEFAULT_CLIENT_SETTINGS } from './settings.ts';
import type {
  Lwm2mClientEvents,
  Lwm2mClientOptions,
  Lwm2mClientSettings,
  Lwm2mClientState,
  Lwm2mTransport,
} from './settings.ts';

/**
 * Makes a device's LwM2M client. Nothing happens before `start`.
 *
 * @example
 * const client = createLwm2mClient({ endpointName: 'meter-1', tree, runtime, transport });
 * await client.start();
 * await client.send([{ path: Lwm2mPath.parse('/10243/0/14'), value: 4711.5 }]);
 */
export function createLwm2mClient(options: Lwm2mClientOptions): Lwm2mClient {
  return new DeviceClient(options);
}

const NO_EVENTS: Lwm2mClientEvents = {};
const NO_SESSIONS: ReadonlyMap<number, RegistrationSession> = new Map();

class DeviceClient implements Lwm2mClient, SessionOwner, TreeListener, OutboxHost, BootstrapHost {
  readonly endpointName: string;
  readonly tree: ObjectTree;
  readonly runtime: Runtime;
  readonly transport: Lwm2mTransport;
  readonly settings: Lwm2mClientSettings;
  readonly events: Lwm2mClientEvents;
  readonly #endDevices = new EndDevices();
  readonly #attributes = new AttributeStore();
  readonly #outbox = new Outbox(this);
  #sessions: RegistrationSession[] = [];
  readonly #prints = new SessionPrints();
  /** Sessions that wait for one with a lower priority order. */
  #queued: RegistrationSession[] = [];
  readonly #bootstrapping = new Bootstrapping(this);
  /** Counts stops, so that what began before one does not go on after it. */
  #run = 0;
  #state: Lwm2mClientState = 'stopped';
  #started: PromiseWithResolvers<void> | undefined;

  constructor(options: Lwm2mClientOptions) {
    this.endpointName = options.endpointName;
    this.tree = options.tree;
    this.runtime = options.runtime;
    this.transport = options.transport;
    this.settings = options.settings ?? DEFAULT_CLIENT_SETTINGS;
    this.events = options.events ?? NO_EVENTS;
    this.tree.listener = this;
  }

  get state(): Lwm2mClientState {
    return this.#state;
  }

  get observationCount(): number {
    return this.#sessions.reduce((sum, session) => sum + session.observations.size, 0);
  }

  get outboxSize(): number {
    return this.#outbox.size;
  }

  servers(): { shortServerId: number; state: RegistrationState; location: string | undefined }[] {
    return this.#sessions.map(({ shortServerId, state, location }) => ({ shortServerId, state, location }));
  }

  get isWithAllServers(): boolean {
    const isWith = ({ state }: RegistrationSession): boolean =>
      state === 'registered' || state === 'updating';
    return this.#state === 'registered' && this.#sessions.length > 0 && this.#sessions.every(isWith);
  }

  get endDevices(): ReadonlyMap<string, ObjectTree> | undefined {
    return this.#endDevices.trees;
  }

  attributesOf(tree: ObjectTree): AttributeStore {
    return tree === this.tree ? this.#attributes : this.#endDevices.attributesOf(tree);
  }

  attachEndDevice(deviceId: string, prefix: string, endDevice: ObjectTree): void {
    this.#endDevices.attach(this.tree, deviceId, prefix, endDevice, (objectId, instanceId, resourceId) =>
      this.#changed(endDevice, objectId, instanceId, resourceId),
    );
  }

  detachEndDevice(prefix: string): void {
    this.#endDevices.detach(this.tree, prefix);
  }

  start(): Promise<void> {
    if (this.#state === 'registered') return Promise.resolve();
    const underWay = this.#started?.promise;
    if (underWay !== undefined) return underWay;
    return this.#begin(() => {
      if (serverAccounts(this.tree).length > 0) void this.#registerAnew();
      else this.#startBootstrap(true);
    });
  }

  bootstrap(): Promise<void> {
    return this.#begin(() => this.#startBootstrap(false));
  }

  async stop(): Promise<void> {
    this.#halt();
    const sessions = this.#sessions.splice(0);
    await Promise.all([...sessions.map((session) => session.stop()), this.#bootstrapping.stop()]);
  }

  async powerOff(): Promise<void> {
    this.#halt();
    const sessions = this.#sessions.splice(0);
    await Promise.all([...sessions.map((session) => session.drop()), this.#bootstrapping.stop()]);
  }

  update(shortServerId?: number): void {
    for (const session of this.#sessions) {
      if (shortServerId === undefined || session.shortServerId === shortServerId) session.input('due');
    }
  }

  send(what: readonly Lwm2mEntry[] | readonly Lwm2mPath[], shortServerId?: number): Promise<void> {
    if (this.#isMuted(shortServerId)) {
      return Promise.reject(clientError('LWM2M_SEND_MUTED', 'the server has muted Send'));
    }
    return this.#outbox.add(this.#entriesOf(what), shortServerId);
  }

  // What the outbox asks.
  get models(): ObjectTree['models'] {
    return this.tree.models;
  }
  get format(): Lwm2mClientSettings['sendFormat'] {
    return this.settings.sendFormat;
  }
  get entriesMax(): number {
    return this.settings.outboxEntriesMax;
  }
  get batchEntries(): number {
    return this.settings.sendBatchEntries;
  }
  nowSeconds(): number {
    return Math.floor(this.runtime.clock.wallMs() / 1000);
  }
  canSend(shortServerId: number | undefined): boolean {
    return this.#sessionFor(shortServerId) !== undefined;
  }
  async post(shortServerId: number | undefined, payload: Uint8Array, format: number): Promise<SendOutcome> {
    const response = await this.#sessionFor(shortServerId)?.post(payload, format);
    return response === undefined ? { kind: 'broken' } : { kind: 'answered', response };
  }
  after(delayMs: number, run: () => void): void {
    this.runtime.timers.after(delayMs, run);
  }

  // What the tree tells.
  valueChanged(objectId: number, instanceId: number, resourceId: number): void {
    this.#changed(this.tree, objectId, instanceId, resourceId);
    if (objectId === OBJECT_ID.SERVER) for (const session of this.#sessions) session.accountChanged();
  }
  instancesChanged(objectId: number): void {
    this.#changed(this.tree, objectId, undefined, undefined);
    if (objectId === OBJECT_ID.SECURITY || this.#bootstrapping.active) return;
    for (const session of this.#sessions) session.objectsChanged();
  }

  // What sessions tell.
  settled(
    session: RegistrationSession,
    outcome: 'registered' | 'failed' | 'exhausted',
    error?: unknown,
  ): void {
    // Who takes the device in the middle of a bootstrap may be none of its servers at the end of it.
    if (outcome === 'registered' && !this.#bootstrapping.active) {
      this.#setState('registered');
      this.#started?.resolve();
      this.#started = undefined;
      this.#outbox.flush();
    }
    // Core §6.2.1.1: a failure blocks the next in order only if the account says so.
    if (outcome === 'registered' || !session.account.blocksNextOnFailure) this.#startNext();
    if (outcome === 'exhausted') this.#exhausted(session, error);
  }
  bootstrapTriggered(): void {
    if (!this.#bootstrapping.active && bootstrapAccount(this.tree) !== undefined) {
      void this.bootstrap().catch((error: unknown) =>
        this.events.bootstrapFailed?.(this.endpointName, error),
      );
    }
  }

  // What bootstrapping tells.
  bootstrapBegins(): void {
    this.#setState('bootstrapping');
  }
  bootstrapDone(): void {
    void this.#reviseSessions();
  }
  bootstrapGivenUp(error: unknown): void {
    this.#fail(error);
  }

  #begin(run: () => void): Promise<void> {
    this.#started ??= Promise.withResolvers<void>();
    const { promise } = this.#started;
    run();
    return promise;
  }

  #halt(): void {
    this.#run++;
    const stopped = clientError('LWM2M_CLIENT_STOPPED', 'the client was stopped');
    this.#queued = [];
    this.#started?.reject(stopped);
    this.#started = undefined;
    this.#outbox.clear(stopped);
    this.#setState('stopped');
  }

  async #registerAnew(): Promise<void> {
    const run = this.#run;
    await Promise.all(this.#sessions.splice(0).map((old) => old.drop()));
    if (run === this.#run) this.#registerAll();
  }

  /**
   * After a bootstrap the device registers with every server. A conversation whose account is as it was goes
   * on; a server whose account is gone is told so (Core §6.2.3) and not waited for.
   */
  async #reviseSessions(): Promise<void> {
    const run = this.#run;
    const { kept, ended, broken } = this.#prints.revise(this.#sessions.splice(0), this.tree);
    for (const session of ended) void session.stop();
    await Promise.all(broken.map((session) => session.drop()));
    if (run === this.#run) this.#registerAll(kept);
    else await Promise.all([...kept.values()].map((session) => session.drop()));
  }

  /** Sessions without an order start at once; the others one after the other (Core §6.2.1.1). */
  #registerAll(kept: ReadonlyMap<number, RegistrationSession> = NO_SESSIONS): void {
    this.#setState('registering');
    const accounts = serverAccounts(this.tree);
    this.#sessions = accounts.map(
      (account) =>
        kept.get(account.server.shortServerId) ??
        this.#prints.note(new RegistrationSession(this, account), this.tree, account),
    );
    const ordered = this.#sessions.filter(({ account }) => account.priority !== undefined);
    this.#queued = ordered.sort((a, b) => (a.account.priority ?? 0) - (b.account.priority ?? 0));
    for (const session of this.#sessions)
      if (session.account.priority === undefined) this.#startSession(session);
    this.#startNext();
  }

  #startNext(): void {
    const next = this.#queued.shift();
    if (next !== undefined) this.#startSession(next);
  }

  #startSession(session: RegistrationSession): void {
    const { initialDelaySeconds } = session.account;
    if (initialDelaySeconds === 0) session.input('start');
    else this.runtime.timers.after(initialDelaySeconds * 1000, () => this.#startIfCurrent(session));
  }

  #startIfCurrent(session: RegistrationSession): void {
    if (this.#sessions.includes(session)) session.input('start');
  }

  #exhausted(session: RegistrationSession, error: unknown): void {
    if (session.account.bootstrapOnFailure && bootstrapAccount(this.tree) !== undefined) {
      this.#startBootstrap(false);
      return;
    }
    if (this.#sessions.every(({ state }) => state === 'failed')) this.#fail(error);
  }

  #fail(cause: unknown): void {
    // A bootstrap that a server has triggered may fail while the registration with that server stands.
    if (this.#sessions.some(({ isRegistered }) => isRegistered)) {
      this.#setState('registered');
      return;
    }
    this.#setState('failed');
    this.#started?.reject(clientError('LWM2M_REGISTRATION_FAILED', 'no server takes the device', { cause }));
    this.#started = undefined;
  }

  #startBootstrap(holdOff: boolean): void {
    if (this.#bootstrapping.start(holdOff)) return;
    this.#started?.reject(
      clientError('LWM2M_NO_ACCOUNT', 'the device knows neither server nor bootstrap server'),
    );
    this.#started = undefined;
    this.#setState('failed');
  }

  #sessionFor(shortServerId: number | undefined): RegistrationSession | undefined {
    return this.#sessions.find(
      (session) =>
        session.isRegistered && (shortServerId === undefined || session.shortServerId === shortServerId),
    );
  }

  #isMuted(shortServerId: number | undefined): boolean {
    const session = this.#sessionFor(shortServerId);
    return session?.account.muteSend === true;
  }

  #entriesOf(what: readonly Lwm2mEntry[] | readonly Lwm2mPath[]): readonly Lwm2mEntry[] {
    const who = this.#sessionFor(undefined)?.shortServerId ?? 'bootstrap';
    return what.flatMap((item) => (item instanceof Lwm2mPath ? readEntries(this.tree, item, who) : [item]));
  }

  #changed(
    tree: ObjectTree,
    objectId: number,
    instanceId: number | undefined,
    resourceId: number | undefined,
  ): void {
    for (const session of this.#sessions)
      session.observations.changed(tree, objectId, instanceId, resourceId);
  }

  #setState(state: Lwm2mClientState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.events.stateChanged?.(this.endpointName, state);
  }
}
