import { concatBytes, constantTimeEqual, bytesEqual } from '@sefleet/bytes';
import type { PeerIdentity } from '@sefleet/runtime';
import type { CipherSuite } from '../cipher-suites.ts';
import { decodeCertificate } from '../codec/certificate.ts';
import { decodeHelloVerifyRequest, decodeServerHello } from '../codec/hello.ts';
import {
  decodeServerKeyExchange,
  encodeClientKeyExchange,
  encodeDigitallySigned,
  type ServerKeyExchange,
} from '../codec/key-exchange.ts';
import {
  AlertDescription,
  ecdsa_secp256r1_sha256,
  HandshakeType,
  NAMED_GROUPS,
  RANDOM_LENGTH,
  type NamedGroup,
} from '../constants.ts';
import type { KeyAgreementProvider } from '../credentials/key-providers.ts';
import { deriveVerifyData } from '../crypto/key-schedule.ts';
import { HandshakeFailure, illegalParameter, insufficient } from '../errors.ts';
import { encodeResumptionState, type ResumptionState } from '../session/resumption-state.ts';
import type { DtlsClientSettings } from '../settings.ts';
import { checkCertificateRequest, clientCertificate, clientHello } from './client-flight.ts';
import { clientOfferOf, type ClientOffer, type OfferContext } from './client-hello-offer.ts';
import {
  CHANGE_CIPHER_SPEC,
  takeStep,
  unexpectedMessage,
  whenReady,
  type Flow,
  type StepTable,
} from './flow.ts';
import type { Handshake } from './handshake.ts';
import { trustPeer, verifyPeerSignature, type TrustedPeer } from './peer-certificate.ts';
import type { IncomingMessage } from './reassembly.ts';
import { masterSecretFor, nonEmpty, secureRecordsFor, sharedSecretWith } from './secrets.ts';
import { readServerHello, type Negotiated } from './server-hello-answer.ts';

type ClientState =
  | 'waitServerHello'
  | 'waitCertificate'
  | 'waitServerKeyExchange'
  | 'waitServerKeyExchangeOrDone'
  | 'waitCertificateRequestOrDone'
  | 'waitServerHelloDone'
  | 'waitChangeCipherSpec'
  | 'waitFinished'
  | 'done';

/** What a client expects after each step. RFC 5246 §7.3, RFC 6347 §4.2.4, RFC 4279 §2. */
const CLIENT_STEPS: StepTable<ClientState, ClientFlow> = {
  waitServerHello: {
    [HandshakeType.hello_verify_request]: (flow, message) => flow.onHelloVerifyRequest(message),
    [HandshakeType.server_hello]: (flow, message) => flow.onServerHello(message),
  },
  waitCertificate: {
    [HandshakeType.certificate]: (flow, message) => flow.onCertificate(message),
  },
  waitServerKeyExchange: {
    [HandshakeType.server_key_exchange]: (flow, message) => flow.onServerKeyExchange(message),
  },
  waitServerKeyExchangeOrDone: {
    [HandshakeType.server_key_exchange]: (flow, message) => flow.onServerKeyExchange(message),
    [HandshakeType.server_hello_done]: (flow, message) => flow.onServerHelloDone(message),
  },
  waitCertificateRequestOrDone: {
    [HandshakeType.certificate_request]: (flow, message) => flow.onCertificateRequest(message),
    [HandshakeType.server_hello_done]: (flow, message) => flow.onServerHelloDone(message),
  },
  waitServerHelloDone: {
    [HandshakeType.server_hello_done]: (flow, message) => flow.onServerHelloDone(message),
  },
  waitChangeCipherSpec: {
    [CHANGE_CIPHER_SPEC]: () => 'waitFinished',
  },
  waitFinished: {
    [HandshakeType.finished]: (flow, message) => flow.onFinished(message),
  },
  done: {},
};

/** A server that keeps asking for cookies never gets to ServerHello. */
const HELLO_VERIFY_REQUESTS_MAX = 3;

/** The client's side of one handshake. */
export class ClientFlow implements Flow {
  readonly clientRandom: Uint8Array;
  readonly #handshake: Handshake;
  readonly #settings: DtlsClientSettings;
  readonly #keyAgreement: KeyAgreementProvider;
  readonly #context: OfferContext;
  readonly #offer: ClientOffer;
  #state: ClientState = 'waitServerHello';
  #cookies = 0;
  #negotiated: Negotiated | undefined;
  #serverKeyExchange: ServerKeyExchange | undefined;
  #trusted: TrustedPeer | undefined;
  #certificateRequested = false;
  #resumed = false;
  #masterSecret: Uint8Array | undefined;
  #identity: PeerIdentity = { kind: 'none' };

  constructor(
    handshake: Handshake,
    settings: DtlsClientSettings,
    keyAgreement: KeyAgreementProvider,
    context: OfferContext,
  ) {
    this.#handshake = handshake;
    this.#settings = settings;
    this.#keyAgreement = keyAgreement;
    this.#context = context;
    this.#offer = clientOfferOf(settings, context);
    this.clientRandom = handshake.host.runtime.rng.bytes(RANDOM_LENGTH);
  }

  get claimedIdentity(): string | undefined {
    return this.#settings.psk?.identity;
  }

  get wrongKey(): HandshakeFailure | undefined {
    if (this.#state !== 'waitFinished' || this.#suite.keyExchange === 'ECDHE_ECDSA') return undefined;
    return new HandshakeFailure('wrongKey', AlertDescription.decrypt_error, 'the server has another key');
  }

  start(): void {
    this.#sendClientHello(NO_BYTES);
  }

  expects(type: number): boolean {
    return CLIENT_STEPS[this.#state][type] !== undefined;
  }

  step(type: number, message: IncomingMessage | undefined): void | Promise<void> {
    return takeStep(CLIENT_STEPS, this.#state, this, { type, message }, (next) => {
      this.#state = next;
    });
  }

  /** RFC 6347 §4.2.1: the same ClientHello again, with the cookie. */
  onHelloVerifyRequest(message: IncomingMessage): ClientState {
    const { cookie } = decodeHelloVerifyRequest(message.body);
    if (++this.#cookies > HELLO_VERIFY_REQUESTS_MAX) throw unexpectedMessage('too many cookies');
    // RFC 6347 §4.2.6: neither the first ClientHello nor the HelloVerifyRequest is hashed.
    this.#handshake.transcript.clear();
    this.#sendClientHello(cookie);
    return 'waitServerHello';
  }

  onServerHello(message: IncomingMessage): ClientState {
    const hello = decodeServerHello(message.body);
    const negotiated = readServerHello(hello, this.#offer);
    this.#negotiated = negotiated;
    if (negotiated.serverCid !== undefined) this.#handshake.expectCid(this.#context.receiveCid);
    if (this.#settings.requireExtendedMasterSecret === true && !negotiated.extendedMasterSecret) {
      throw insufficient('the server does not know the extended master secret');
    }
    const { resume } = this.#offer;
    if (resume !== undefined && bytesEqual(hello.sessionId, resume.sessionId)) {
      return this.#resume(resume);
    }
    switch (negotiated.suite.keyExchange) {
      case 'ECDHE_ECDSA':
        return 'waitCertificate';
      case 'ECDHE_PSK':
        return 'waitServerKeyExchange';
      case 'PSK':
        return 'waitServerKeyExchangeOrDone';
    }
  }

  async onCertificate(message: IncomingMessage): Promise<ClientState> {
    const { serverCertificateType } = this.#agreed;
    const { serverName } = this.#settings;
    this.#trusted = await trustPeer(
      decodeCertificate(message.body, serverCertificateType),
      this.#settings.trust,
      { role: 'server', ...(serverName === undefined ? {} : { serverName }) },
    );
    this.#identity = this.#trusted.identity;
    return 'waitServerKeyExchange';
  }

  onServerKeyExchange(message: IncomingMessage): ClientState {
    const { keyExchange } = this.#suite;
    const exchange = decodeServerKeyExchange(message.body, keyExchange);
    this.#serverKeyExchange = exchange;
    if (keyExchange !== 'ECDHE_ECDSA') return 'waitServerHelloDone';
    if (
      exchange.signature === undefined ||
      exchange.signedParameters === undefined ||
      this.#trusted === undefined
    ) {
      throw illegalParameter('ServerKeyExchange without a signature');
    }
    // RFC 8422 §5.4: the signature covers both randoms and the parameters.
    const covered = concatBytes(this.clientRandom, this.#agreed.serverRandom, exchange.signedParameters);
    verifyPeerSignature(this.#trusted.publicKey, exchange.signature, covered);
    return 'waitCertificateRequestOrDone';
  }

  onCertificateRequest(message: IncomingMessage): ClientState {
    checkCertificateRequest(message.body, this.#settings.signingKey);
    this.#certificateRequested = true;
    return 'waitServerHelloDone';
  }

  /** The whole of flight 5. RFC 6347 §4.2.4. */
  onServerHelloDone(message: IncomingMessage): ClientState | Promise<ClientState> {
    if (message.body.length > 0) throw illegalParameter('ServerHelloDone has no body');
    this.#handshake.beginFlight();
    const proves = this.#sendCertificate();
    return whenReady(this.#sendClientKeyExchange(), (sharedSecret) =>
      whenReady(this.#deriveMasterSecret(sharedSecret), (masterSecret) => {
        this.#useMasterSecret(masterSecret);
        return whenReady(proves ? this.#sendCertificateVerify() : undefined, () => {
          this.#sendFinished();
          this.#handshake.sendFlight(true);
          return 'waitChangeCipherSpec' as const;
        });
      }),
    );
  }

  onFinished(message: IncomingMessage): ClientState {
    const expected = deriveVerifyData(this.#secret, 'server', this.#handshake.transcript.digest());
    if (!constantTimeEqual(expected, message.body)) {
      throw new HandshakeFailure('wrongKey', AlertDescription.decrypt_error, 'Finished does not match');
    }
    this.#handshake.transcript.append(message.whole);
    if (this.#resumed) {
      this.#handshake.beginFlight();
      this.#sendFinished();
      this.#handshake.sendFlight(false);
    }
    this.#complete();
    return 'done';
  }

  #sendClientHello(cookie: Uint8Array): void {
    this.#handshake.beginFlight();
    this.#handshake.send(HandshakeType.client_hello, clientHello(this.#offer, this.clientRandom, cookie));
    this.#handshake.sendFlight(true);
  }

  /** RFC 5246 §7.3: the server speaks first, under the keys of the old master secret. */
  #resume(resume: ResumptionState): ClientState {
    const { suite, extendedMasterSecret } = this.#agreed;
    // RFC 7627 §5.3: a session keeps its kind of master secret.
    if (suite !== resume.suite || extendedMasterSecret !== resume.extendedMasterSecret) {
      throw illegalParameter('the resumed session had another suite or kind of master secret');
    }
    this.#resumed = true;
    this.#identity = resume.identity;
    this.#useMasterSecret(resume.masterSecret);
    return 'waitChangeCipherSpec';
  }

  /** True when a certificate or key went out, so that CertificateVerify has to follow. RFC 5246 §7.4.6. */
  #sendCertificate(): boolean {
    if (!this.#certificateRequested) return false;
    const { clientCertificateType } = this.#agreed;
    const { body, isEmpty } = clientCertificate(clientCertificateType, this.#settings.signingKey);
    this.#handshake.send(HandshakeType.certificate, body);
    return !isEmpty;
  }

  /** Sends our half of the key exchange; gives the ECDH shared secret where the suite has one. */
  #sendClientKeyExchange(): Uint8Array | undefined | Promise<Uint8Array> {
    const { keyExchange } = this.#suite;
    const identity = new TextEncoder().encode(this.#settings.psk?.identity ?? '');
    if (keyExchange === 'PSK') {
      this.#handshake.send(HandshakeType.client_key_exchange, encodeClientKeyExchange({ identity }));
      return undefined;
    }
    const ecdh = this.#serverKeyExchange?.ecdh;
    const group = this.#context.groups.find((name) => NAMED_GROUPS[name] === ecdh?.group);
    if (ecdh === undefined || group === undefined) throw illegalParameter('a group that was not offered');
    return this.#agreeOnKey(group, ecdh.publicKey.slice(), keyExchange === 'ECDHE_PSK' ? { identity } : {});
  }

  async #agreeOnKey(
    group: NamedGroup,
    serverKey: Uint8Array,
    psk: { readonly identity?: Uint8Array },
  ): Promise<Uint8Array> {
    const agreement = await this.#keyAgreement.generate(group);
    const message = encodeClientKeyExchange({ ...psk, publicKey: agreement.publicKey });
    this.#handshake.send(HandshakeType.client_key_exchange, message);
    return await sharedSecretWith(agreement, serverKey);
  }

  #deriveMasterSecret(sharedSecret: Uint8Array | undefined): Uint8Array | Promise<Uint8Array> {
    const { suite, serverRandom, extendedMasterSecret } = this.#agreed;
    return masterSecretFor({
      suite,
      clientRandom: this.clientRandom,
      serverRandom,
      extendedMasterSecret,
      sessionHash: () => this.#handshake.transcript.digest(),
      psk: this.#settings.psk,
      sharedSecret,
    });
  }

  #useMasterSecret(masterSecret: Uint8Array): void {
    const { suite, serverRandom, serverCid } = this.#agreed;
    this.#masterSecret = masterSecret;
    this.#handshake.host.logSecret(this.clientRandom, masterSecret);
    const receive = serverCid === undefined ? undefined : nonEmpty(this.#context.receiveCid);
    const secrets = { masterSecret, clientRandom: this.clientRandom, serverRandom };
    this.#handshake.useRecords(
      secureRecordsFor('client', suite, secrets, this.#handshake.host.recordCipher, {
        send: nonEmpty(serverCid),
        receive,
      }),
    );
  }

  /** RFC 5246 §7.4.8: over everything sent and received so far. */
  #sendCertificateVerify(): void | Promise<void> {
    const { signingKey } = this.#settings;
    if (signingKey === undefined) return;
    return whenReady(signingKey.sign(this.#handshake.transcript.bytes()), (signature) => {
      const message = encodeDigitallySigned({ algorithm: ecdsa_secp256r1_sha256, signature });
      this.#handshake.send(HandshakeType.certificate_verify, message);
    });
  }

  #sendFinished(): void {
    this.#handshake.sendChangeCipherSpec();
    const digest = this.#handshake.transcript.digest();
    this.#handshake.send(HandshakeType.finished, deriveVerifyData(this.#secret, 'client', digest));
  }

  #complete(): void {
    const { suite, sessionId, extendedMasterSecret, recordSizeLimit, returnRoutability } = this.#agreed;
    const { records } = this.#handshake;
    if (records === undefined) throw unexpectedMessage('finished without keys');
    const { psk, serverName } = this.#settings;
    const identity: PeerIdentity =
      this.#resumed || suite.keyExchange === 'ECDHE_ECDSA' || psk === undefined
        ? this.#identity
        : { kind: 'psk', identity: psk.identity };
    const masterSecret = this.#secret;
    const resumable = { sessionId, suite, masterSecret, extendedMasterSecret, identity, serverName };
    this.#handshake.complete({
      records,
      identity,
      resumed: this.#resumed,
      extendedMasterSecret,
      serverName,
      recordSizeLimit,
      returnRoutability,
      resumption: sessionId.length === 0 ? undefined : encodeResumptionState(resumable),
    });
  }

  get #agreed(): Negotiated {
    if (this.#negotiated === undefined) throw unexpectedMessage('no ServerHello yet');
    return this.#negotiated;
  }

  get #suite(): CipherSuite {
    return this.#agreed.suite;
  }

  get #secret(): Uint8Array {
    if (this.#masterSecret === undefined) throw unexpectedMessage('no master secret yet');
    return this.#masterSecret;
  }
}

const NO_BYTES = new Uint8Array(0);
