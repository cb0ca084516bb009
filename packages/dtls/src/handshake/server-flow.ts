import { constantTimeEqual } from '@sefleet/bytes';
import type { PeerIdentity } from '@sefleet/runtime';
import type { CipherSuite } from '../cipher-suites.ts';
import { decodeCertificate } from '../codec/certificate.ts';
import { decodeClientHello, encodeServerHello, type ClientHello } from '../codec/hello.ts';
import {
  decodeClientKeyExchange,
  decodeDigitallySigned,
  type ClientKeyExchange,
} from '../codec/key-exchange.ts';
import {
  AlertDescription,
  DTLS_1_2,
  HandshakeType,
  PLAINTEXT_MAX,
  RANDOM_LENGTH,
  SESSION_ID_LENGTH_MAX,
} from '../constants.ts';
import type { KeyAgreement, KeyAgreementProvider, PskKeyProvider } from '../credentials/key-providers.ts';
import { deriveVerifyData } from '../crypto/key-schedule.ts';
import { HandshakeFailure, illegalParameter, insufficient } from '../errors.ts';
import { encodeResumptionState, type ResumptionState } from '../session/resumption-state.ts';
import type { DtlsServerSettings } from '../settings.ts';
import {
  CHANGE_CIPHER_SPEC,
  takeStep,
  unexpectedMessage,
  whenReady,
  type Flow,
  type StepTable,
} from './flow.ts';
import { findResumable } from './find-resumable.ts';
import type { Handshake } from './handshake.ts';
import { trustPeer, verifyPeerSignature, type TrustedPeer } from './peer-certificate.ts';
import { decodePskIdentity, lookUpPsk } from './psk-lookup.ts';
import {
  asksCertificate,
  CERTIFICATE_REQUEST,
  serverCertificate,
  serverKeyExchange,
} from './server-flight.ts';
import type { IncomingMessage } from './reassembly.ts';
import { masterSecretFor, nonEmpty, secureRecordsFor, sharedSecretWith, type Randoms } from './secrets.ts';
import { serverHelloExtensions } from './server-hello-reply.ts';
import { chooseSuite, readClientWishes, type ClientWishes, type ServerChoice } from './server-choice.ts';

type ServerState =
  | 'waitClientHello'
  | 'waitCertificate'
  | 'waitClientKeyExchange'
  | 'waitCertificateVerify'
  | 'waitChangeCipherSpec'
  | 'waitFinished'
  | 'done';

/** What a server expects after each step. RFC 5246 §7.3, RFC 6347 §4.2.4. */
const SERVER_STEPS: StepTable<ServerState, ServerFlow> = {
  waitClientHello: {
    [HandshakeType.client_hello]: (flow, message) => flow.onClientHello(message),
  },
  waitCertificate: {
    [HandshakeType.certificate]: (flow, message) => flow.onCertificate(message),
  },
  waitClientKeyExchange: {
    [HandshakeType.client_key_exchange]: (flow, message) => flow.onClientKeyExchange(message),
  },
  waitCertificateVerify: {
    [HandshakeType.certificate_verify]: (flow, message) => flow.onCertificateVerify(message),
  },
  waitChangeCipherSpec: {
    [CHANGE_CIPHER_SPEC]: () => 'waitFinished',
  },
  waitFinished: {
    [HandshakeType.finished]: (flow, message) => flow.onFinished(message),
  },
  done: {},
};

/** What the endpoint lends a server's handshakes. */
export interface ServerContext {
  readonly settings: DtlsServerSettings;
  readonly keyAgreement: KeyAgreementProvider;
  readonly recordSizeLimit: number | undefined;
  readonly returnRoutability: boolean;
  /** A connection ID that no session of the endpoint has; undefined when they are off. */
  newCid(): Uint8Array | undefined;
}

/** The server's side of one handshake, from the ClientHello with the right cookie on. */
export class ServerFlow implements Flow {
  claimedIdentity: string | undefined;
  clientRandom: Uint8Array | undefined;
  readonly #handshake: Handshake;
  readonly #context: ServerContext;
  readonly #serverRandom: Uint8Array;
  #state: ServerState = 'waitClientHello';
  #wishes: ClientWishes | undefined;
  #suite: CipherSuite | undefined;
  #choice: ServerChoice | undefined;
  #sessionId: Uint8Array = NO_BYTES;
  #receiveCid: Uint8Array | undefined;
  #agreement: KeyAgreement | undefined;
  #trusted: TrustedPeer | undefined;
  #identityUnknown = false;
  #identity: PeerIdentity = { kind: 'none' };
  #masterSecret: Uint8Array | undefined;
  #resumed = false;

  constructor(handshake: Handshake, context: ServerContext) {
    this.#handshake = handshake;
    this.#context = context;
    this.#serverRandom = handshake.host.runtime.rng.bytes(RANDOM_LENGTH);
  }

  get wrongKey(): HandshakeFailure | undefined {
    if (this.#state !== 'waitFinished' || this.#suite?.keyExchange === 'ECDHE_ECDSA') return undefined;
    // RFC 4279 §2: an unknown identity looks like a wrong key, so that identities cannot be probed for.
    const reason = this.#identityUnknown ? 'unknownIdentity' : 'wrongKey';
    return new HandshakeFailure(reason, AlertDescription.decrypt_error, 'the client has another key');
  }

  start(): void {
    this.#handshake.armTimer();
  }

  expects(type: number): boolean {
    return SERVER_STEPS[this.#state][type] !== undefined;
  }

  step(type: number, message: IncomingMessage | undefined): void | Promise<void> {
    return takeStep(SERVER_STEPS, this.#state, this, { type, message }, (next) => {
      this.#state = next;
    });
  }

  onClientHello(message: IncomingMessage): ServerState | Promise<ServerState> {
    const hello = decodeClientHello(message.body);
    this.clientRandom = hello.random.slice();
    // DTLS counts down: a larger number is an older version. RFC 6347 §4.1.
    if (hello.version > DTLS_1_2) {
      throw new HandshakeFailure(
        'protocolVersion',
        AlertDescription.protocol_version,
        'the client is too old',
      );
    }
    if (!hello.compressionMethods.includes(0)) throw illegalParameter('compression is not spoken');
    const wishes = readClientWishes(hello);
    this.#wishes = wishes;
    const { settings } = this.#context;
    if (settings.requireExtendedMasterSecret === true && !wishes.extendedMasterSecret) {
      throw insufficient('the client does not know the extended master secret');
    }
    if (wishes.cid !== undefined) this.#receiveCid = this.#context.newCid();
    this.#handshake.expectCid(this.#receiveCid);
    const resumable = findResumable(hello, wishes, settings);
    if (resumable !== undefined) return this.#resume(hello, wishes, resumable);
    return this.#startFull(hello, wishes);
  }

  async onCertificate(message: IncomingMessage): Promise<ServerState> {
    const { clientCertificateType } = this.#chosen;
    const certificate = decodeCertificate(message.body, clientCertificateType);
    const isEmpty =
      certificate.kind === 'rpk'
        ? certificate.subjectPublicKeyInfo.length === 0
        : certificate.chain.length === 0;
    const { settings } = this.#context;
    if (isEmpty) {
      if (settings.clientAuthentication !== 'required') return 'waitClientKeyExchange';
      throw new HandshakeFailure(
        'certificateMissing',
        AlertDescription.handshake_failure,
        'a client certificate is required',
      );
    }
    this.#trusted = await trustPeer(certificate, settings.trust, { role: 'client' });
    this.#identity = this.#trusted.identity;
    return 'waitClientKeyExchange';
  }

  onClientKeyExchange(message: IncomingMessage): ServerState | Promise<ServerState> {
    const exchange = decodeClientKeyExchange(message.body, this.#chosen.suite.keyExchange);
    const psk = exchange.identity === undefined ? undefined : this.#pskFor(exchange.identity);
    return whenReady(psk, (provider) =>
      whenReady(this.#sharedSecret(exchange), (sharedSecret) =>
        whenReady(this.#deriveMasterSecret(provider, sharedSecret), (masterSecret) => {
          this.#useMasterSecret(masterSecret);
          return this.#trusted === undefined ? 'waitChangeCipherSpec' : 'waitCertificateVerify';
        }),
      ),
    );
  }

  /** RFC 5246 §7.4.8: proof that the client holds the certificate's key. */
  onCertificateVerify(message: IncomingMessage): ServerState {
    if (this.#trusted === undefined) throw unexpectedMessage('CertificateVerify without a certificate');
    const { transcript } = this.#handshake;
    verifyPeerSignature(this.#trusted.publicKey, decodeDigitallySigned(message.body), transcript.bytes());
    transcript.append(message.whole);
    return 'waitChangeCipherSpec';
  }

  onFinished(message: IncomingMessage): ServerState {
    const { transcript } = this.#handshake;
    const expected = deriveVerifyData(this.#secret, 'client', transcript.digest());
    if (!constantTimeEqual(expected, message.body)) {
      const reason = this.#identityUnknown ? 'unknownIdentity' : 'wrongKey';
      throw new HandshakeFailure(reason, AlertDescription.decrypt_error, 'Finished does not match');
    }
    transcript.append(message.whole);
    if (!this.#resumed) {
      this.#handshake.beginFlight();
      this.#sendFinished();
      this.#handshake.sendFlight(false);
    }
    this.#complete();
    return 'done';
  }

  /** RFC 5246 §7.3, the abbreviated handshake: we finish first. */
  #resume(hello: ClientHello, wishes: ClientWishes, state: ResumptionState): ServerState {
    this.#resumed = true;
    this.#suite = state.suite;
    this.#sessionId = state.sessionId;
    this.#identity = state.identity;
    if (state.identity.kind === 'psk') this.claimedIdentity = state.identity.identity;
    this.#handshake.beginFlight();
    this.#sendServerHello(hello, wishes, state.suite);
    this.#useMasterSecret(state.masterSecret);
    this.#sendFinished();
    this.#handshake.sendFlight(true);
    return 'waitChangeCipherSpec';
  }

  #startFull(hello: ClientHello, wishes: ClientWishes): ServerState | Promise<ServerState> {
    const { settings, keyAgreement } = this.#context;
    const choice = chooseSuite(hello, wishes, settings, keyAgreement.groups);
    if (choice === undefined) {
      throw new HandshakeFailure(
        'noSharedCipherSuite',
        AlertDescription.handshake_failure,
        'no cipher suite, group or certificate type in common',
      );
    }
    this.#choice = choice;
    this.#suite = choice.suite;
    if (settings.resumption !== undefined) {
      this.#sessionId = this.#handshake.host.runtime.rng.bytes(SESSION_ID_LENGTH_MAX);
    }
    this.#handshake.beginFlight();
    this.#sendServerHello(hello, wishes, choice.suite);
    if (choice.suite.keyExchange === 'ECDHE_ECDSA') {
      this.#handshake.send(HandshakeType.certificate, serverCertificate(choice));
    }
    const exchange = serverKeyExchange(choice, settings, keyAgreement, this.#randoms);
    return whenReady(exchange, (offered) => {
      this.#agreement = offered?.agreement;
      if (offered !== undefined) this.#handshake.send(HandshakeType.server_key_exchange, offered.body);
      const asks = asksCertificate(choice, settings);
      if (asks) this.#handshake.send(HandshakeType.certificate_request, CERTIFICATE_REQUEST);
      this.#handshake.send(HandshakeType.server_hello_done, NO_BYTES);
      this.#handshake.sendFlight(true);
      return asks ? 'waitCertificate' : 'waitClientKeyExchange';
    });
  }

  #sendServerHello(hello: ClientHello, wishes: ClientWishes, suite: CipherSuite): void {
    const extensions = serverHelloExtensions({
      hello,
      wishes,
      choice: this.#choice,
      clientAuthentication:
        this.#choice !== undefined && asksCertificate(this.#choice, this.#context.settings),
      receiveCid: this.#receiveCid,
      recordSizeLimit: this.#context.recordSizeLimit,
      returnRoutability: this.#returnRoutability,
    });
    const message = encodeServerHello({
      version: DTLS_1_2,
      random: this.#serverRandom,
      sessionId: this.#sessionId,
      cipherSuite: suite.id,
      compressionMethod: 0,
      extensions,
    });
    this.#handshake.send(HandshakeType.server_hello, message);
  }

  #pskFor(identityBytes: Uint8Array): PskKeyProvider | Promise<PskKeyProvider> {
    const identity = decodePskIdentity(identityBytes);
    this.claimedIdentity = identity;
    const found = lookUpPsk(identity, this.#context.settings, this.#handshake.host.runtime.rng);
    return whenReady(found, ({ known, provider }) => {
      this.#identityUnknown = !known;
      if (known && identity !== undefined) this.#identity = { kind: 'psk', identity };
      return provider;
    });
  }

  #sharedSecret(exchange: ClientKeyExchange): Uint8Array | undefined | Promise<Uint8Array> {
    if (exchange.publicKey === undefined) return undefined;
    if (this.#agreement === undefined) throw unexpectedMessage('no key was offered');
    return sharedSecretWith(this.#agreement, exchange.publicKey);
  }

  #deriveMasterSecret(
    psk: PskKeyProvider | undefined,
    sharedSecret: Uint8Array | undefined,
  ): Uint8Array | Promise<Uint8Array> {
    return masterSecretFor({
      suite: this.#chosen.suite,
      ...this.#randoms,
      extendedMasterSecret: this.#wishes?.extendedMasterSecret === true,
      sessionHash: () => this.#handshake.transcript.digest(),
      psk,
      sharedSecret,
    });
  }

  #useMasterSecret(masterSecret: Uint8Array): void {
    if (this.#suite === undefined) throw unexpectedMessage('no cipher suite was chosen');
    this.#masterSecret = masterSecret;
    this.#handshake.host.logSecret(this.#randoms.clientRandom, masterSecret);
    const agreed = this.#receiveCid !== undefined;
    const send = agreed ? nonEmpty(this.#wishes?.cid) : undefined;
    const secrets = { masterSecret, ...this.#randoms };
    const { recordCipher } = this.#handshake.host;
    const cids = { send, receive: nonEmpty(this.#receiveCid) };
    this.#handshake.useRecords(secureRecordsFor('server', this.#suite, secrets, recordCipher, cids));
  }

  #sendFinished(): void {
    this.#handshake.sendChangeCipherSpec();
    const digest = this.#handshake.transcript.digest();
    this.#handshake.send(HandshakeType.finished, deriveVerifyData(this.#secret, 'server', digest));
  }

  #complete(): void {
    const { records } = this.#handshake;
    const suite = this.#suite;
    if (records === undefined || suite === undefined) throw unexpectedMessage('finished without keys');
    const { serverName, recordSizeLimit = PLAINTEXT_MAX } = this.#wishes ?? { serverName: undefined };
    const extendedMasterSecret = this.#wishes?.extendedMasterSecret === true;
    const identity = this.#identity;
    const sessionId = this.#sessionId;
    const state = {
      sessionId,
      suite,
      masterSecret: this.#secret,
      extendedMasterSecret,
      identity,
      serverName,
    };
    if (!this.#resumed) this.#context.settings.resumption?.put(sessionId, encodeResumptionState(state));
    this.#handshake.complete({
      records,
      identity,
      resumed: this.#resumed,
      extendedMasterSecret,
      serverName,
      recordSizeLimit,
      returnRoutability: this.#returnRoutability,
      resumption: undefined,
    });
  }

  get #returnRoutability(): boolean {
    const wanted = this.#wishes?.returnRoutability === true && this.#receiveCid !== undefined;
    return wanted && this.#context.returnRoutability;
  }

  get #randoms(): Randoms {
    return { clientRandom: this.clientRandom ?? NO_BYTES, serverRandom: this.#serverRandom };
  }

  get #chosen(): ServerChoice {
    if (this.#choice === undefined) throw unexpectedMessage('no ClientHello yet');
    return this.#choice;
  }

  get #secret(): Uint8Array {
    if (this.#masterSecret === undefined) throw unexpectedMessage('no master secret yet');
    return this.#masterSecret;
  }
}

const NO_BYTES = new Uint8Array(0);
