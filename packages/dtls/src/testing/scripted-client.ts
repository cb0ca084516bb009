import assert from 'node:assert/strict';
import { cipherSuiteByName } from '../cipher-suites.ts';
import { decodeHandshakeFragments, encodeWholeMessage } from '../codec/handshake-fragment.ts';
import {
  decodeHelloVerifyRequest,
  decodeServerHello,
  encodeClientHello,
  type ClientHello,
} from '../codec/hello.ts';
import { encodeClientKeyExchange } from '../codec/key-exchange.ts';
import { decodeRecord, encodeRecordHeader } from '../codec/record.ts';
import { ContentType, ExtensionType, HandshakeType } from '../constants.ts';
import { nodeRecordCipher } from '../crypto/node-record-cipher.ts';
import { deriveKeyBlock, deriveVerifyData } from '../crypto/key-schedule.ts';
import { Transcript } from '../handshake/transcript.ts';
import { SecureRecords } from '../session/secure-records.ts';
import { PSK, PSK_IDENTITY, SERVER_ADDRESS, SERVER_PORT, type World } from './simulated-world.ts';

/**
 * A PSK client that says what a test tells it to, in any order, with the right keys. The messages are honest
 * by themselves; only their order is the test's.
 */
export class ScriptedClient {
  readonly #world: World;
  readonly #channel: ReturnType<World['network']['bind']>;
  readonly #transcript = new Transcript();
  readonly #random: Uint8Array;
  #cookie: Uint8Array = new Uint8Array(0);
  #messageSeq = 0;
  #plainSequence = 0;
  #serverRandom: Uint8Array | undefined;
  #masterSecret: Uint8Array | undefined;
  records: SecureRecords | undefined;
  /** Descriptions of the plain alerts that came. */
  readonly alerts: number[] = [];
  /** Types of the plain handshake messages that came. */
  readonly messages: number[] = [];
  /** Records that opened under the keys: their types. */
  readonly opened: number[] = [];
  readonly datagrams: Uint8Array[] = [];

  constructor(world: World, random: Uint8Array = world.runtime.rng.bytes(32)) {
    this.#world = world;
    this.#random = random;
    this.#channel = world.network.bind('10.0.0.9');
    this.#channel.listen({ datagram: (data) => this.#receive(data.slice()) });
  }

  get address(): { readonly address: string; readonly port: number } {
    return this.#channel.localAddress();
  }

  /** ClientHello, with the cookie if one came. */
  clientHello(more: Partial<ClientHello> = {}): void {
    const suite = cipherSuiteByName('TLS_PSK_WITH_AES_128_CCM_8');
    assert.ok(suite);
    const body = encodeClientHello({
      version: 0xfefd,
      random: this.#random,
      sessionId: new Uint8Array(0),
      cookie: this.#cookie,
      cipherSuites: [suite.id],
      compressionMethods: Uint8Array.of(0),
      extensions: new Map([[ExtensionType.extended_master_secret, new Uint8Array(0)]]),
      ...more,
    });
    // Only the ClientHello with the cookie is hashed. RFC 6347 §4.2.6.
    if (this.#cookie.length > 0) this.message(HandshakeType.client_hello, body);
    else this.sendHandshake(encodeWholeMessage(HandshakeType.client_hello, this.#messageSeq++, body));
  }

  clientKeyExchange(identity = PSK_IDENTITY): void {
    this.message(
      HandshakeType.client_key_exchange,
      encodeClientKeyExchange({ identity: Buffer.from(identity) }),
    );
    if (this.#serverRandom === undefined) return;
    const masterSecret = PSK.masterSecret({
      label: 'extended master secret',
      seed: this.#transcript.digest(),
    });
    assert.ok(masterSecret instanceof Uint8Array);
    this.#masterSecret = masterSecret;
    const suite = cipherSuiteByName('TLS_PSK_WITH_AES_128_CCM_8');
    assert.ok(suite);
    const secrets = { masterSecret, clientRandom: this.#random, serverRandom: this.#serverRandom };
    this.records = new SecureRecords(
      { suite, role: 'client', keyBlock: deriveKeyBlock(secrets), cipher: nodeRecordCipher },
      {},
    );
  }

  changeCipherSpec(): void {
    this.sendPlain(ContentType.change_cipher_spec, Uint8Array.of(1));
  }

  /** Finished, under keys when there are any and `plain` does not forbid it. */
  finished(plain = false): void {
    const secret = this.#masterSecret ?? new Uint8Array(48);
    const verifyData = deriveVerifyData(secret, 'client', this.#transcript.digest());
    const message = encodeWholeMessage(HandshakeType.finished, this.#messageSeq++, verifyData);
    this.#transcript.append(message);
    if (plain) this.sendHandshake(message);
    else this.sendSecure(ContentType.handshake, message);
  }

  /** Any handshake message, numbered and hashed. */
  message(type: number, body: Uint8Array): void {
    const message = encodeWholeMessage(type, this.#messageSeq++, body);
    this.#transcript.append(message);
    this.sendHandshake(message);
  }

  sendHandshake(message: Uint8Array): void {
    this.sendPlain(ContentType.handshake, message);
  }

  sendPlain(type: number, content: Uint8Array): void {
    const out = new Uint8Array(13 + content.length);
    const header = { type, epoch: 0, sequence: this.#plainSequence++, length: content.length };
    out.set(content, encodeRecordHeader(out, 0, header));
    this.sendRaw(out);
  }

  sendSecure(type: number, content: Uint8Array): void {
    if (this.records === undefined) return;
    const out = new Uint8Array(this.records.overhead + content.length);
    this.records.seal(out, 0, type, content);
    this.sendRaw(out);
  }

  sendRaw(datagram: Uint8Array): void {
    this.#channel.send(datagram, this.#channel.peerAt(SERVER_ADDRESS, SERVER_PORT));
  }

  /** Lets what was sent arrive and be answered. */
  async turn(): Promise<void> {
    await this.#world.runtime.advance(10);
  }

  /** Up to and with the server's flight. */
  async greet(): Promise<void> {
    this.clientHello();
    await this.turn();
    this.clientHello();
    await this.turn();
  }

  #receive(datagram: Uint8Array): void {
    this.datagrams.push(datagram);
    for (let offset = 0; offset < datagram.length;) {
      const record = decodeRecord(datagram, offset, 0);
      assert.ok(record, 'a malformed record from the server');
      offset = record.end;
      if (record.epoch > 0) {
        const opened = this.records?.open(record);
        if (opened?.fate === 'opened') this.opened.push(opened.record.type);
      } else if (record.type === ContentType.alert) {
        this.alerts.push(record.payload[1] ?? -1);
      } else if (record.type === ContentType.handshake) this.#receiveHandshake(record.payload);
    }
  }

  #receiveHandshake(payload: Uint8Array): void {
    for (const { type, body, messageSeq } of decodeHandshakeFragments(payload)) {
      const repeated = this.messages.includes(type);
      this.messages.push(type);
      if (type === HandshakeType.hello_verify_request)
        this.#cookie = decodeHelloVerifyRequest(body).cookie.slice();
      else if (!repeated) this.#transcript.append(encodeWholeMessage(type, messageSeq, body));
      if (type === HandshakeType.server_hello) this.#serverRandom = decodeServerHello(body).random.slice();
    }
  }
}
