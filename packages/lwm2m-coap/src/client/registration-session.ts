import { CODE } from '@sefleet/coap';
import type { CoapReply, CoapRequest, CoapRequestInit, CoapResponse } from '@sefleet/coap';
import { afterFailure, CONTENT_FORMAT, registrationStep, updateAfterSeconds } from '@sefleet/lwm2m';
import type {
  AttributeStore,
  Lwm2mPath,
  NotificationAttributes,
  ObjectTree,
  RegistrationEffect,
  RegistrationInput,
  RegistrationState,
  ServerAccount,
} from '@sefleet/lwm2m';
import type { Runtime, Timer } from '@sefleet/runtime';
import {
  accountOf,
  noteAlert,
  notificationDefaults,
  registerRequest,
  registersAlike,
  serverCommandAt,
  updateContent,
} from './server-account.ts';
import type { Account } from './server-account.ts';
import { answerRequest } from './device-handler.ts';
import type { RequestContext } from './device-handler.ts';
import { clientError } from './errors.ts';
import { Observations } from './observations.ts';
import type { ObservationHost } from './observations.ts';
import { errorReply, isRefusal } from './reply.ts';
import { ServerLink } from './server-link.ts';
import type { Lwm2mClientEvents, Lwm2mClientSettings, Lwm2mTransport } from './settings.ts';

/** What sessions share with the client that they belong to. */
export interface SessionOwner {
  readonly endpointName: string;
  readonly tree: ObjectTree;
  readonly runtime: Runtime;
  readonly transport: Lwm2mTransport;
  readonly settings: Lwm2mClientSettings;
  readonly events: Lwm2mClientEvents;
  attributesOf(tree: ObjectTree): AttributeStore;
  readonly endDevices: ReadonlyMap<string, ObjectTree> | undefined;
  /** A session's first attempt has ended, well or not, or all its retries are used up. */
  settled(
    session: RegistrationSession,
    outcome: 'registered' | 'failed' | 'exhausted',
    error?: unknown,
  ): void;
  /** The server executes Bootstrap-Request Trigger. */
  bootstrapTriggered(): void;
}

/** The registration with one server: runs the machine of `registrationStep` on a connection. */
export class RegistrationSession implements ObservationHost, RequestContext {
  readonly shortServerId: number;
  readonly observations: Observations;
  readonly #owner: SessionOwner;
  readonly #link: ServerLink;
  #account: Account;
  #state: RegistrationState = 'idle';
  #location: string | undefined;
  /** What the server knows of the account. */
  #registeredAs: ServerAccount | undefined;
  #failures = 0;
  #timer: Timer | undefined;
  #objectsChanged = false;
  /** Counts effects, so that an answer to an older one is ignored. */
  #epoch = 0;
  #stopped: (() => void) | undefined;

  constructor(owner: SessionOwner, account: Account) {
    this.#owner = owner;
    this.#account = account;
    this.shortServerId = account.server.shortServerId;
    this.observations = new Observations(this);
    this.#link = new ServerLink(owner, this.shortServerId, {
      handle: (request) => this.#handle(request),
      lost: () => this.#lost(),
    });
  }

  get state(): RegistrationState {
    return this.#state;
  }

  get location(): string | undefined {
    return this.#location;
  }

  get account(): ServerAccount {
    return this.#account.server;
  }

  /** True while the server knows this device and can be sent to. */
  get isRegistered(): boolean {
    return this.#location !== undefined && (this.#state === 'registered' || this.#state === 'updating');
  }

  // What Observations and answerRequest ask.
  get tree(): ObjectTree {
    return this.#owner.tree;
  }
  get runtime(): Runtime {
    return this.#owner.runtime;
  }
  attributesOf(tree: ObjectTree): AttributeStore {
    return this.#owner.attributesOf(tree);
  }
  get endDevices(): ReadonlyMap<string, ObjectTree> | undefined {
    return this.#owner.endDevices;
  }
  get preferredFormat(): typeof CONTENT_FORMAT.TLV | typeof CONTENT_FORMAT.SENML_CBOR {
    return this.#owner.settings.version === '1.0' ? CONTENT_FORMAT.TLV : CONTENT_FORMAT.SENML_CBOR;
  }
  get confirmable(): boolean | undefined {
    return this.#owner.settings.confirmableNotifications;
  }
  get defaults(): NotificationAttributes {
    return notificationDefaults(this.#account.server);
  }
  get storedNotificationsMax(): number {
    return this.#account.server.storesNotifications ? this.#owner.settings.storedNotificationsMax : 0;
  }
  /** Core §6.4.1: a client that has forgotten an observation registers anew, to be asked again. */
  registerSoon(): void {
    if (!this.isRegistered) return;
    this.#wait(this.runtime.rng.fraction() * this.#owner.settings.reconnectSpreadMs, 'start');
  }
  notifying(): void {
    this.#link.wake();
    this.#link.stayAwake(this.#account.server.queueMode);
  }

  /** Feeds the machine; an input that the state has no use for is ignored. */
  input(input: RegistrationInput, error?: unknown): void {
    const step = registrationStep(this.#state, input);
    if (step === undefined) return;
    const leavesRegistration = step.next === 'idle' || step.next === 'disabled' || step.next === 'failed';
    this.#state = step.next;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (leavesRegistration) this.#forget();
    this.#run(step.effect, error);
    if (step.next === 'idle') this.#end();
  }

  /** De-registers and ends; resolves when the server has answered or cannot be reached. */
  stop(): Promise<void> {
    if (this.#state === 'idle') return this.#link.close();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stopped = resolve;
    this.input('stop');
    return promise;
  }

  /** Ends without a word. */
  async drop(): Promise<void> {
    this.#epoch++;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#state = 'idle';
    this.#forget();
    await this.#link.close();
  }

  /** What is registered has changed: an Update tells, in the next turn at the latest. */
  objectsChanged(): void {
    this.#objectsChanged = true;
    if (this.#state === 'registered') this.#wait(0, 'due');
  }

  /** The account was written. */
  accountChanged(): void {
    const before = this.#account.server;
    this.#refreshAccount();
    if (this.storedNotificationsMax === 0) this.observations.discardStored();
    if (!registersAlike(before, this.#account.server) && this.#state === 'registered') this.#wait(0, 'due');
  }

  /** POSTs a Send; undefined when the conversation broke, and then the session registers anew. */
  async post(payload: Uint8Array, contentFormat: number): Promise<CoapResponse | undefined> {
    try {
      const response = await this.#request({ method: 'POST', path: ['dp'], payload, contentFormat });
      if (response.code !== CODE.NOT_FOUND) return response;
      // The server has forgotten the registration.
      this.input('start');
      return undefined;
    } catch {
      if (!this.isRegistered) return undefined;
      await this.#link.close();
      this.input('start');
      return undefined;
    }
  }

  /** Executes of the Server object are the client's own business (Core appendix E.2). */
  serverCommand(path: Lwm2mPath): boolean {
    const command = serverCommandAt(this.tree, path, this.shortServerId);
    if (command === undefined) return false;
    // Once the answer to the request that asked is on its way.
    this.runtime.timers.after(0, () => {
      if (command === 'bootstrap') this.#owner.bootstrapTriggered();
      else this.input(command === 'disable' ? 'disable' : 'due');
    });
    return true;
  }

  #run(effect: RegistrationEffect, error: unknown): void {
    this.#epoch++;
    switch (effect) {
      case 'register':
        void this.#register(this.#epoch);
        return;
      case 'update':
        void this.#update(this.#epoch);
        return;
      case 'deregister':
        void this.#deregister();
        return;
      case 'back-off':
        this.#backOff(error);
        return;
      case 'wait-disabled':
        void this.#disable();
        return;
      case 'give-up':
        void this.#link.close();
        this.#owner.settled(this, 'exhausted', error);
        return;
      case 'none':
    }
  }

  async #register(epoch: number): Promise<void> {
    this.#refreshAccount();
    this.observations.suspend();
    const { server, security } = this.#account;
    const { endpointName, settings, tree } = this.#owner;
    this.#objectsChanged = false;
    try {
      await this.#link.open(security);
      if (epoch !== this.#epoch) return;
      const response = await this.#request(registerRequest(endpointName, tree, server, settings));
      if (epoch !== this.#epoch) return;
      if (response.code === CODE.CREATED && response.locationPath !== undefined)
        this.#accepted(response.locationPath);
      else this.#refused(response);
    } catch (error) {
      if (epoch !== this.#epoch) return;
      noteAlert(this.tree, server, error);
      this.input('unreachable', error);
    }
  }

  #accepted(location: string): void {
    this.#location = location;
    this.#failures = 0;
    this.observations.registered();
    this.input('accepted');
    this.#owner.events.registered?.(this.#owner.endpointName, this.shortServerId);
    this.#armUpdate();
    this.#owner.settled(this, 'registered');
  }

  #refused(response: CoapResponse): void {
    const error = clientError('LWM2M_REGISTRATION_FAILED', 'the server refuses the registration', {
      context: { code: response.code, shortServerId: this.shortServerId },
    });
    this.input(response.code >= CODE.INTERNAL_SERVER_ERROR ? 'unreachable' : 'refused', error);
  }

  async #update(epoch: number): Promise<void> {
    const { server } = this.#account;
    const withObjects = this.#objectsChanged;
    this.#objectsChanged = false;
    try {
      const response = await this.#request({
        method: 'POST',
        path: this.#location,
        ...updateContent(
          this.#registeredAs,
          server,
          this.#owner.settings,
          withObjects ? this.tree : undefined,
        ),
      });
      if (epoch !== this.#epoch) return;
      if (response.code === CODE.CHANGED) {
        this.#registeredAs = server;
        this.input('accepted');
        this.#owner.events.updated?.(this.#owner.endpointName, this.shortServerId);
        this.#armUpdate();
      } else this.input(response.code === CODE.NOT_FOUND ? 'forgotten' : 'refused');
    } catch {
      if (epoch !== this.#epoch) return;
      await this.#link.close();
      if (epoch === this.#epoch) this.input('unreachable');
    }
  }

  #armUpdate(): void {
    this.#registeredAs = this.#account.server;
    if (this.#objectsChanged) {
      this.#wait(0, 'due');
      return;
    }
    const seconds = updateAfterSeconds(
      this.#account.server.lifetimeSeconds,
      this.#owner.settings.updateMarginMs / 1000,
    );
    if (seconds !== undefined) this.#wait(seconds * 1000, 'due');
  }

  async #deregister(): Promise<void> {
    try {
      await this.#request({ method: 'DELETE', path: this.#location });
      this.#owner.events.deregistered?.(this.#owner.endpointName, this.shortServerId);
    } catch {
      // Core §6.2.3: a De-register that is not answered changes nothing; the lifetime ends it.
    }
    this.input('done');
  }

  #backOff(error: unknown): void {
    this.#failures++;
    const first = this.#failures === 1;
    const step = afterFailure(this.#failures, this.#account.server.retry);
    const retrySeconds = step.kind === 'retry' ? step.afterSeconds : undefined;
    const { endpointName, events } = this.#owner;
    events.registrationFailed?.(endpointName, this.shortServerId, error, retrySeconds);
    void this.#link.close();
    if (retrySeconds === undefined) {
      this.#failures = 0;
      this.input('exhausted', error);
      return;
    }
    this.#wait(retrySeconds * 1000, 'elapsed');
    if (first) this.#owner.settled(this, 'failed', error);
  }

  /** Core appendix E.2, Disable: de-register, stay away, come back. */
  async #disable(): Promise<void> {
    const { disableTimeoutSeconds } = this.#account.server;
    const location = this.#location;
    this.#wait(disableTimeoutSeconds * 1000, 'elapsed');
    const epoch = this.#epoch;
    try {
      await this.#request({ method: 'DELETE', path: location });
    } catch {
      // As in a De-register.
    }
    if (epoch === this.#epoch) await this.#link.close();
  }

  async #request(init: CoapRequestInit): Promise<CoapResponse> {
    this.#link.wake();
    const response = await this.#link.request(init);
    this.#link.stayAwake(this.#account.server.queueMode);
    return response;
  }

  async #handle(request: CoapRequest): Promise<CoapReply> {
    this.#link.stayAwake(this.#account.server.queueMode);
    try {
      return await answerRequest(this, request);
    } catch (error) {
      if (!isRefusal(error)) this.#owner.events.handlerFailed?.(this.#owner.endpointName, error);
      return errorReply(error);
    }
  }

  #lost(): void {
    this.observations.suspend();
    this.registerSoon();
  }

  #wait(delayMs: number, input: RegistrationInput): void {
    this.#timer?.cancel();
    this.#timer = this.runtime.timers.after(delayMs, () => this.input(input));
  }

  #forget(): void {
    this.#location = this.#state === 'disabled' ? this.#location : undefined;
    if (this.#state === 'idle') this.observations.clear();
    else this.observations.suspend();
  }

  #end(): void {
    const stopped = this.#stopped;
    this.#stopped = undefined;
    void this.#link.close().then(stopped);
  }

  #refreshAccount(): void {
    this.#account = accountOf(this.tree, this.shortServerId) ?? this.#account;
  }
}
