import { metricNamed } from '@sefleet/cose';
import type { PskKeyProvider } from '@sefleet/dtls';
import { isSefleetError } from '@sefleet/errors';
import { aid, type Aid } from '@sefleet/globalplatform';
import type { CardKeyReference } from '@sefleet/lwm2m-coap';
import type { Rng } from '@sefleet/runtime';
import {
  describeCard,
  type CardDescription,
  type CardPorts,
  type CutOverRecords,
  exportCard,
  FIRMWARE_AUTHORITY_KEY,
  importCard,
  IotSafeClient,
  RecordsClient,
  type SecureElement,
} from '@sefleet/secure-element';
import type { Measurement } from '../behaviour/behaviour-model.ts';
import { simulationError } from '../errors.ts';
import type { CardTiming } from './card-timing.ts';
import { CardWatch, type CardDoor, type CardWatcher } from './card-watch.ts';

/** What a card is made from. */
export interface DeviceCardOptions {
  readonly image: Uint8Array;
  readonly endpoint: string;
  readonly rng: Rng;
  /** Stakeholders with a Security Domain on the card who get no readings. */
  readonly withoutReadings: readonly string[];
  /** The card's memory has changed and belongs on disk. */
  readonly changed: () => void;
  /** How long a chip would take; undefined: answers come at once. */
  readonly timing?: CardTiming | undefined;
}

/**
 * A device's secure element and what the device asks of it: master secrets, signatures, sealed records. The
 * device holds no key; it works on logical channels of its own and leaves the basic one to the card's owners.
 */
export class DeviceCard {
  readonly #ports: CardPorts;
  #card: SecureElement;
  readonly #endpoint: string;
  readonly #withoutReadings: readonly string[];
  readonly #changed: () => void;
  readonly #timing: CardTiming | undefined;
  readonly #watch = new CardWatch();
  #iotSafe: IotSafeClient | undefined;
  readonly #records = new Map<Aid, RecordsClient>();

  /** @throws SefleetError `SE_IMAGE_MALFORMED`, `SE_PROFILE_UNKNOWN` */
  constructor(options: DeviceCardOptions) {
    const { rng, changed } = options;
    this.#endpoint = options.endpoint;
    this.#withoutReadings = options.withoutReadings;
    this.#timing = options.timing;
    this.#ports = { rng, onCommit: () => changed() };
    this.#changed = changed;
    this.#card = importCard(options.image, this.#ports);
  }

  /**
   * The pre-shared key in a container of the card, for a DTLS handshake; the card computes the master secret.
   */
  psk(identity: string, { container, application }: CardKeyReference): PskKeyProvider {
    const id = Uint8Array.of(container);
    return {
      identity,
      masterSecret: (request) => {
        const secret =
          application === undefined
            ? this.#keys().masterSecret(id, request)
            : this.#visit(application, (keys) => keys.masterSecret(id, request));
        return this.whenDone(secret);
      },
    };
  }

  /** `value`, once a chip would have done all that the card was asked so far; at once without a timing. */
  whenDone<T>(value: T): T | Promise<T> {
    return this.#timing === undefined ? value : this.#timing.whenDone(value);
  }

  /**
   * The DER ECDSA signature over the SHA-256 digest of `message`, with a private key of the card; at once.
   */
  sign(container: number, message: Uint8Array): Uint8Array {
    return this.#keys().signMessage(Uint8Array.of(container), message);
  }

  /** True when the firmware authority whose key is on the card signed `message`; false without such a key. */
  isFirmwareSigned(message: Uint8Array, signature: Uint8Array): boolean {
    try {
      return this.#keys().verifyMessage(FIRMWARE_AUTHORITY_KEY, message, signature);
    } catch (error) {
      if (isSefleetError(error, 'SE_APPLET_REFUSED')) return false;
      throw error;
    }
  }

  /**
   * A record for each stakeholder that readings are for: its own applet numbers and seals it.
   *
   * @param without applets by which this reading is not taken
   * @throws SefleetError `SIM_CARD_UNUSABLE` when no stakeholder takes readings
   */
  seal(
    timestampMs: number,
    measurements: readonly Measurement[],
    without: ReadonlySet<Aid> = NONE,
  ): readonly Uint8Array[] {
    const record = { timestampMs, values: measurements.flatMap(toRecordValue) };
    const sealed = new Map<Aid, Uint8Array>();
    // Once more when an applet was closed or deleted meanwhile: another one may have taken its place.
    for (let again = true; ; again = false) {
      try {
        for (const [application, client] of this.#readers()) {
          if (sealed.has(application) || without.has(application)) continue;
          sealed.set(application, client.seal(record));
        }
        // An applet that is selected somewhere cannot be deleted, and its owner may want to.
        if (without.size > 0) this.#forgetReaders();
        return [...sealed.values()];
      } catch (error) {
        if (!again || !isGone(error)) throw error;
        this.#forgetReaders();
      }
    }
  }

  /**
   * The cut-over reading, sealed for a stakeholder that readings are for now and for the next one, by one
   * command. The card knows which of the applets is meant.
   *
   * @param order What the new stakeholder staged for this card.
   * @throws SefleetError `SE_APPLET_REFUSED`, `SIM_CARD_UNUSABLE`: nothing has changed then
   */
  handOver(
    order: Uint8Array,
    timestampMs: number,
    measurements: readonly Measurement[],
  ): CutOverRecords & { readonly application: Aid } {
    const reading = { timestampMs, values: measurements.flatMap(toRecordValue) };
    let refusal: unknown;
    for (const [application, client] of this.#readers()) {
      try {
        return { application, ...client.handOver(order, reading) };
      } catch (error) {
        if (!isSefleetError(error, 'SE_APPLET_REFUSED')) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  /**
   * A reading by one applet alone: the first of a stakeholder that comes beside others, or the last of one
   * that goes.
   *
   * @throws SefleetError `SE_APPLET_REFUSED`, `SE_APPLET_UNAVAILABLE`: nothing has changed then
   */
  sealBy(application: Aid, timestampMs: number, measurements: readonly Measurement[]): Uint8Array {
    this.#forgetReaders();
    const client = new RecordsClient((apdu) => this.transmit(apdu), application);
    try {
      return client.seal({ timestampMs, values: measurements.flatMap(toRecordValue) });
    } finally {
      client.close();
    }
  }

  /** Counts the changes of the card's memory. */
  get revision(): number {
    return this.#card.revision;
  }

  /** What is on the card, without a secret. */
  describe(): CardDescription {
    return describeCard(this.#card);
  }

  /** The AIDs of all Security Domains and applications on the card. */
  get applications(): SecureElement['applications'] {
    return this.#card.applications;
  }

  /** One command APDU, one response APDU, at once. */
  transmit(command: Uint8Array, door: CardDoor = 'device'): Uint8Array {
    const response = this.#card.transmit(command);
    this.#timing?.spend(command, response);
    if (this.#watch.isWatched) this.#watch.exchanged(door, command, response);
    return response;
  }

  /** One command APDU of a visitor; its response comes when a chip would give it. */
  answer(command: Uint8Array): Uint8Array | Promise<Uint8Array> {
    return this.whenDone(this.transmit(command, 'visitor'));
  }

  /**
   * Tells `watcher` of every exchange from now on, without what is secret in the clear.
   *
   * @returns Ends that.
   * @throws SefleetError `SIM_CARD_WATCHED` when too many watch already
   */
  watch(watcher: CardWatcher): () => void {
    return this.#watch.add(watcher);
  }

  /** The device goes away: nobody is told anything any more. */
  endWatches(): void {
    this.#watch.end();
  }

  /**
   * Takes the card's power and gives it back: sessions and channels are closed, the device opens its own
   * again.
   */
  reset(): void {
    this.#card.reset();
    // Their channels are anybody's now.
    this.#iotSafe = undefined;
    this.#records.clear();
    this.#watch.wasReset();
  }

  /** Hands command APDUs of the card's owners to it, one after the other, up to the first that it refuses. */
  exchange(commands: readonly Uint8Array[]): readonly Uint8Array[] {
    const responses: Uint8Array[] = [];
    for (const command of commands) {
      const response = this.transmit(command, 'management');
      responses.push(response);
      if (!goesOn(response)) break;
    }
    return responses;
  }

  /** The card as it belongs on disk. Asked for when it has changed, and then it is at rest again. */
  image(): Uint8Array {
    this.#card.park();
    return exportCard(this.#card);
  }

  /**
   * Puts the card back from an image of it; sessions and channels end.
   *
   * @throws SefleetError `SIM_CARD_IMAGE_REFUSED` when the image is older than the card, of a copy that went
   *   its own way, of another card or damaged: nothing has changed then
   */
  replace(image: Uint8Array): void {
    this.#card = this.#restored(image);
    this.#iotSafe = undefined;
    this.#records.clear();
    this.#watch.wasReset();
    this.#changed();
  }

  #restored(image: Uint8Array): SecureElement {
    const { anchor } = this.#card;
    try {
      return importCard(image, this.#ports, { anchor });
    } catch (cause) {
      if (!isSefleetError(cause)) throw cause;
      throw simulationError('SIM_CARD_IMAGE_REFUSED', `the card stays as it is: ${cause.message}`, {
        context: { endpoint: this.#endpoint, ...cause.context },
        cause,
        hint:
          cause.hint ??
          `The card is at revision ${anchor.revision}; only an image that goes on from there can be used.`,
      });
    }
  }

  /**
   * Uses keys of a stakeholder's applet. Its channel is given back at once: an applet that is selected
   * somewhere cannot be deleted, and its owner may want to.
   */
  #visit<T>(application: string, use: (keys: IotSafeClient) => T): T {
    const keys = new IotSafeClient((apdu) => this.transmit(apdu), aid(application));
    try {
      return use(keys);
    } finally {
      keys.close();
    }
  }

  #keys(): IotSafeClient {
    this.#iotSafe ??= new IotSafeClient((apdu) => this.transmit(apdu));
    return this.#iotSafe;
  }

  /**
   * The measuring applets of the stakeholders that take readings now; after a switch they are others than
   * before.
   */
  #readers(): ReadonlyMap<Aid, RecordsClient> {
    if (this.#records.size > 0) return this.#records;
    const endpoint = this.#endpoint;
    for (const application of this.#card.applications) {
      const client = new RecordsClient((apdu) => this.transmit(apdu), application);
      if (this.#isUsable(client)) this.#records.set(application, client);
      else client.close();
    }
    if (this.#records.size > 0) return this.#records;
    throw simulationError('SIM_CARD_UNUSABLE', 'no stakeholder on the card takes readings', {
      context: { endpoint },
    });
  }

  #isUsable(client: RecordsClient): boolean {
    try {
      const { closed, endpoint, stakeholder = '' } = client.status();
      return !closed && endpoint === this.#endpoint && !this.#withoutReadings.includes(stakeholder);
    } catch (error) {
      // Not every application on a card is a measuring applet.
      if (isSefleetError(error)) return false;
      throw error;
    }
  }

  /** They are looked for anew with the next reading. */
  #forgetReaders(): void {
    for (const client of this.#records.values()) client.close();
    this.#records.clear();
  }
}

const NONE: ReadonlySet<Aid> = new Set();

function isGone(error: unknown): boolean {
  return isSefleetError(error, 'SE_APPLET_REFUSED') || isSefleetError(error, 'SE_APPLET_UNAVAILABLE');
}

function toRecordValue({ metric, value }: Measurement): readonly (readonly [number, number])[] {
  const known = metricNamed(metric);
  return known === undefined ? [] : [[known.id, value]];
}

/** 9000, 61xx, 62xx and 63xx let a script go on. */
export function goesOn(response: Uint8Array): boolean {
  const sw1 = response[response.length - 2] ?? 0;
  return sw1 === 0x90 || (sw1 >= 0x61 && sw1 <= 0x63);
}
