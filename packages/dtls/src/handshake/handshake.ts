import type { Peer, PeerIdentity, Runtime, Timer } from '@sefleet/runtime';
import { isSefleetError } from '@sefleet/errors';
import { decodeAlert } from '../codec/alert.ts';
import { decodeHandshakeFragments, type HandshakeFragment } from '../codec/handshake-fragment.ts';
import type { WireRecord } from '../codec/record.ts';
import { AlertDescription, AlertLevel, ContentType, HandshakeType } from '../constants.ts';
import { HandshakeFailure } from '../errors.ts';
import type { RecordCipher } from '../crypto/record-cipher.ts';
import type { SecureRecords } from '../session/secure-records.ts';
import type { DtlsLimits, FlightTimerSettings } from '../settings.ts';
import { CHANGE_CIPHER_SPEC, unexpectedMessage, type Flow } from './flow.ts';
import { FlightWriter } from './flight.ts';
import { LastFlight } from './last-flight.ts';
import { Reassembler, type IncomingMessage, type ReassemblyBudget } from './reassembly.ts';
import { Transcript } from './transcript.ts';

/** What a completed handshake agreed on. */
export interface HandshakeOutcome {
  readonly records: SecureRecords;
  readonly identity: PeerIdentity;
  readonly resumed: boolean;
  readonly extendedMasterSecret: boolean;
  readonly serverName: string | undefined;
  /** RFC 9853 was agreed. */
  readonly returnRoutability: boolean;
  /** Content bytes that the peer takes in one record. */
  readonly recordSizeLimit: number;
  /** What resuming the session takes; absent when the server gave no session id. */
  readonly resumption: Uint8Array | undefined;
}

/** What a completed handshake leaves to be looked after. */
export interface HandshakeRest {
  /** Application data that overtook the peer's Finished. */
  readonly early: readonly Uint8Array[];
  /** Set on the side that spoke last. */
  readonly lastFlight: LastFlight | undefined;
}

/** The world of a handshake: one endpoint serves all of its handshakes. */
export interface HandshakeHost {
  readonly runtime: Runtime;
  readonly limits: DtlsLimits;
  readonly flightTimers: FlightTimerSettings;
  readonly reassemblyBudget: ReassemblyBudget;
  readonly recordCipher: RecordCipher;
  /** Largest datagram in bytes to a peer. */
  mtuTo(link: Peer): number;
  transmit(datagram: Uint8Array, link: Peer): void;
  /** For the key log. */
  logSecret(clientRandom: Uint8Array, masterSecret: Uint8Array): void;
  /** The peer may put this connection ID on its records from now on. */
  cidChosen(handshake: Handshake, cid: Uint8Array): void;
  established(handshake: Handshake, outcome: HandshakeOutcome, rest: HandshakeRest): void;
  failed(handshake: Handshake, failure: HandshakeFailure): void;
  drop(reason: 'malformed' | 'unexpected' | 'heldFull' | 'reassembly' | 'forged' | 'replayed'): void;
}

/** After this many time-outs the path may be what eats large datagrams (RFC 6347 §4.1.1.1). */
const TIMEOUTS_BEFORE_SMALLER = 2;
/** IPv4's minimum reassembly size less IP and UDP headers. */
const SMALL_MTU = 548;

/**
 * One handshake, either role: reassembly, flights and their timer, change of keys. What messages mean is the
 * {@link Flow}'s business. No I/O: records and time-outs go in, datagrams and one outcome come out through
 * the host.
 */
export class Handshake {
  readonly host: HandshakeHost;
  readonly link: Peer;
  readonly role: 'client' | 'server';
  readonly transcript = new Transcript();
  /** The connection ID that the peer was given for its records. */
  receiveCid: Uint8Array | undefined;
  readonly #incoming: Reassembler;
  readonly #writer: FlightWriter;
  readonly #flow: Flow;
  #timer: Timer | undefined;
  #timeoutMs: number;
  #timeouts = 0;
  #lastSentMs = 0;
  #busy = false;
  #isOver = false;
  /** Set once ChangeCipherSpec was accepted: protected records can be opened. */
  #readSecure = false;
  /** Sequence number of the newest ChangeCipherSpec record. */
  #changeCipherSpecAt = -1;
  /** Sequence number of the newest record among those of the last message handled. */
  #handledUpTo = -1;
  #held: WireRecord[] = [];
  readonly #early: Uint8Array[] = [];

  /**
   * @param start where a server goes on from the ClientHello that brought the cookie (RFC 6347 §4.2.1)
   */
  constructor(
    host: HandshakeHost,
    link: Peer,
    role: 'client' | 'server',
    start: { readonly messageSeq: number; readonly recordSequence: number },
    flowOf: (handshake: Handshake) => Flow,
  ) {
    this.host = host;
    this.link = link;
    this.role = role;
    this.#incoming = new Reassembler(host.limits, host.reassemblyBudget, start.messageSeq);
    this.#writer = new FlightWriter(start.messageSeq, start.recordSequence);
    this.#timeoutMs = host.flightTimers.initialTimeoutMs;
    this.#flow = flowOf(this);
  }

  get records(): SecureRecords | undefined {
    return this.#writer.records;
  }

  get claimedIdentity(): string | undefined {
    return this.#flow.claimedIdentity;
  }

  get clientRandom(): Uint8Array | undefined {
    return this.#flow.clientRandom;
  }

  /** A client's first step. */
  start(): void {
    this.#run(() => this.#flow.start());
  }

  /** A server without an answer gives up after this time even when it has sent nothing yet. */
  armTimer(): void {
    this.#timer?.cancel();
    this.#timer = this.host.runtime.timers.after(this.#timeoutMs, () => this.#onTimeout());
  }

  /** An unprotected record. */
  receivePlain(record: WireRecord): void {
    if (this.#isOver) return;
    switch (record.type) {
      case ContentType.handshake:
        if (this.#readSecure) this.host.drop('unexpected');
        else this.#receiveFragments(record.payload, 0, record.sequence);
        break;
      case ContentType.change_cipher_spec:
        if (record.payload.length !== 1 || record.payload[0] !== 1) this.host.drop('malformed');
        else this.#changeCipherSpecAt = Math.max(this.#changeCipherSpecAt, record.sequence);
        break;
      case ContentType.alert:
        this.#receiveAlert(record.payload);
        return;
      default:
        this.host.drop('unexpected');
    }
    this.#drain();
  }

  /** A protected record; those that come before their keys wait. */
  receiveSecure(record: WireRecord): void {
    if (this.#isOver) return;
    if (this.#readSecure && this.records !== undefined) {
      this.#open(record, this.records);
      this.#drain();
    } else if (this.#held.length >= this.host.limits.maxHeldRecords) this.host.drop('heldFull');
    else this.#held.push({ ...record, payload: record.payload.slice(), cid: record.cid?.slice() });
  }

  /** Starts a new flight: what the flow sends next follows from here. */
  beginFlight(): void {
    this.#writer.begin();
  }

  /** Adds a message to the flight and the transcript. */
  send(type: number, body: Uint8Array): void {
    const whole = this.#writer.add(type, body);
    this.transcript.append(whole);
  }

  sendChangeCipherSpec(): void {
    this.#writer.addChangeCipherSpec();
  }

  /** Sends the flight; `awaitReply` false only for the last flight of all. */
  sendFlight(awaitReply: boolean): void {
    // A key provider may answer after the handshake ended.
    if (this.#isOver) return;
    this.#timeouts = 0;
    this.#timeoutMs = this.host.flightTimers.initialTimeoutMs;
    this.#transmit();
    if (awaitReply) this.armTimer();
  }

  /** Protected records may come under `cid`, even before their keys are there. */
  expectCid(cid: Uint8Array | undefined): void {
    if (cid === undefined || cid.length === 0) return;
    this.receiveCid = cid;
    this.host.cidChosen(this, cid);
  }

  /** Keys were derived. They seal what we send after ChangeCipherSpec, and open records after the peer's. */
  useRecords(records: SecureRecords): void {
    this.#writer.records = records;
  }

  /** Everything is verified. Whoever sent the last flight stays ready to repeat it. */
  complete(outcome: HandshakeOutcome): void {
    const { host, link } = this;
    const sentLastFlight = (this.role === 'server') !== outcome.resumed;
    const transmit = (datagram: Uint8Array): void => host.transmit(datagram, link);
    // The Finished that is handled just now was the last message taken.
    const answers = this.#incoming.nextSeq - 1;
    const lastFlight = sentLastFlight
      ? new LastFlight(this.#writer, { mtu: host.mtuTo(link), transmit, answers })
      : undefined;
    const early = this.#early.splice(0);
    this.dispose();
    host.established(this, outcome, { early, lastFlight });
  }

  /** Ends the handshake, telling the peer when the failure has an alert of ours. */
  fail(failure: HandshakeFailure): void {
    if (this.#isOver) return;
    if (failure.alert !== undefined && failure.reason !== 'alertReceived') {
      this.host.transmit(this.#writer.alert(AlertLevel.fatal, failure.alert), this.link);
    }
    this.dispose();
    this.host.failed(this, failure);
  }

  /** Lets go of the timer and of everything held. */
  dispose(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#incoming.clear();
    this.#held = [];
  }

  #receiveFragments(payload: Uint8Array, epoch: number, sequence: number): void {
    let fragments: readonly HandshakeFragment[];
    try {
      fragments = decodeHandshakeFragments(payload);
    } catch {
      this.host.drop('malformed');
      return;
    }
    for (const fragment of fragments) {
      const fate = this.#incoming.add(fragment, epoch, sequence);
      if (fate === 'refused') this.host.drop('reassembly');
      if (fate === 'old' && fragment.messageSeq === this.#incoming.nextSeq - 1) this.#repeatIfQuiet();
    }
  }

  #receiveAlert(content: Uint8Array): void {
    const alert = decodeAlert(content);
    if (alert === undefined) {
      this.host.drop('malformed');
    } else if (alert.level === AlertLevel.fatal || alert.description === AlertDescription.close_notify) {
      this.fail(
        new HandshakeFailure('alertReceived', alert.description, `the peer sent alert ${alert.description}`),
      );
    }
  }

  #open(record: WireRecord, records: SecureRecords): void {
    const opened = records.open(record);
    if (opened.fate !== 'opened') {
      this.host.drop(opened.fate);
      const mayBeFinished = record.type === ContentType.handshake || record.cid !== undefined;
      const failure = opened.fate === 'forged' && mayBeFinished ? this.#flow.wrongKey : undefined;
      if (failure !== undefined) this.fail(failure);
      return;
    }
    const { type, content } = opened.record;
    if (type === ContentType.handshake) this.#receiveFragments(content, record.epoch, record.sequence);
    else if (type === ContentType.alert) this.#receiveAlert(content);
    else if (type === ContentType.application_data && this.#early.length < this.host.limits.maxHeldRecords) {
      this.#early.push(content);
    } else this.host.drop('unexpected');
  }

  /** Handles what is complete and in order, as far as it goes without waiting for a key provider. */
  #drain(): void {
    while (!this.#isOver && !this.#busy) {
      if (this.#flow.expects(CHANGE_CIPHER_SPEC) && this.#changeCipherSpecAt > this.#handledUpTo) {
        this.#run(() => this.#flow.step(CHANGE_CIPHER_SPEC, undefined));
        this.#readSecure = true;
        for (const record of this.#held.splice(0)) this.receiveSecure(record);
        continue;
      }
      const message = this.#incoming.take();
      if (message === undefined) return;
      this.#handle(message);
    }
  }

  #handle(message: IncomingMessage): void {
    const { type, whole, epoch, recordSequence } = message;
    // RFC 5246 §7.4.1.1: ignored while a handshake runs, and never hashed.
    if (type === HandshakeType.hello_request && this.role === 'client') return;
    if (epoch > 0 !== this.#readSecure) {
      this.fail(unexpectedMessage(`message ${type} in epoch ${epoch}`));
      return;
    }
    if (epoch === 0) this.#handledUpTo = Math.max(this.#handledUpTo, recordSequence);
    // Those two are made over what came before them; their steps append them.
    const coversItself = type !== HandshakeType.finished && type !== HandshakeType.certificate_verify;
    if (coversItself && type !== HandshakeType.hello_verify_request) this.transcript.append(whole);
    this.#run(() => this.#flow.step(type, message));
  }

  #run(step: () => void | Promise<void>): void {
    try {
      const pending = step();
      if (pending === undefined) return;
      this.#busy = true;
      pending.then(
        () => {
          this.#busy = false;
          this.#drain();
        },
        (error: unknown) => {
          this.#busy = false;
          this.fail(failureOf(error));
        },
      );
    } catch (error) {
      this.fail(failureOf(error));
    }
  }

  #transmit(): void {
    const mtu = this.host.mtuTo(this.link);
    const size = this.#timeouts >= TIMEOUTS_BEFORE_SMALLER ? Math.min(mtu, SMALL_MTU) : mtu;
    this.#lastSentMs = this.host.runtime.clock.monotonicMs();
    for (const datagram of this.#writer.datagrams(size)) this.host.transmit(datagram, this.link);
  }

  #repeatIfQuiet(): void {
    const quietMs = this.host.runtime.clock.monotonicMs() - this.#lastSentMs;
    // Both sides have timers: answering every repeated fragment as well would multiply flights.
    if (quietMs >= this.host.flightTimers.initialTimeoutMs / 2) this.#transmit();
  }

  #onTimeout(): void {
    const { maxTimeoutMs, maxRetransmissions } = this.host.flightTimers;
    if (this.#timeouts++ >= maxRetransmissions) {
      this.fail(new HandshakeFailure('timeout', undefined, 'the peer does not answer'));
      return;
    }
    this.#timeoutMs = Math.min(this.#timeoutMs * 2, maxTimeoutMs);
    if (!this.#busy) this.#transmit();
    this.armTimer();
  }
}

function failureOf(error: unknown): HandshakeFailure {
  if (error instanceof HandshakeFailure) return error;
  if (isSefleetError(error) && error.code === 'DTLS_DECODE') {
    return new HandshakeFailure('decodeError', AlertDescription.decode_error, error.message, error);
  }
  return new HandshakeFailure('keyProvider', AlertDescription.internal_error, 'a key provider failed', error);
}
