import { metricNamed } from '@sefleet/cose';
import type { PskKeyProvider } from '@sefleet/dtls';
import { isSefleetError } from '@sefleet/errors';
import { aid } from '@sefleet/globalplatform';
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
  #records: RecordsClient | undefined;

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
   * A record for the stakeholder that readings are for: the applet numbers and seals it.
   *
   * @throws SefleetError `SIM_CARD_UNUSABLE` when no stakeholder takes readings
   */
  seal(timestampMs: number, measurements: readonly Measurement[]): Uint8Array {
    const record = { timestampMs, values: measurements.flatMap(toRecordValue) };
    const known = this.#records;
    if (known !== undefined) {
      try {
        return known.seal(record);
      } catch (error) {
        // The stakeholder's applet was closed or deleted meanwhile: another one may have taken its place.
        if (!isSefleetError(error, 'SE_APPLET_REFUSED') && !isSefleetError(error, 'SE_APPLET_UNAVAILABLE'))
          throw error;
        known.close();
      }
    }
    this.#records = this.#findRecords();
    return this.#records.seal(record);
  }

  /**
   * The cut-over reading, sealed for the stakeholder that readings are for now and for the next one, by one
   * command.
   *
   * @param order What the new stakeholder staged for this card.
   * @throws SefleetError `SE_APPLET_REFUSED`, `SIM_CARD_UNUSABLE`: nothing has changed then
   */
  handOver(order: Uint8Array, timestampMs: number, measurements: readonly Measurement[]): CutOverRecords {
    const reading = { timestampMs, values: measurements.flatMap(toRecordValue) };
    this.#records ??= this.#findRecords();
    return this.#records.handOver(order, reading);
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
    this.#records = undefined;
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
    this.#records = undefined;
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
   * The measuring applet of the stakeholder that takes readings now; after a switch that is another one than
   * before.
   */
  #findRecords(): RecordsClient {
    const endpoint = this.#endpoint;
    for (const application of this.#card.applications) {
      const client = new RecordsClient((apdu) => this.transmit(apdu), application);
      try {
        const status = client.status();
        const { stakeholder = '' } = status;
        const usable =
          !status.closed && status.endpoint === endpoint && !this.#withoutReadings.includes(stakeholder);
        if (usable) return client;
      } catch (error) {
        // Not every application on a card is a measuring applet.
        if (!isSefleetError(error)) throw error;
      }
      client.close();
    }
    throw simulationError('SIM_CARD_UNUSABLE', 'no stakeholder on the card takes readings', {
      context: { endpoint },
    });
  }
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
