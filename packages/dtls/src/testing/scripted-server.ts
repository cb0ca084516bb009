import assert from 'node:assert/strict';
import { CIPHER_SUITES } from '../cipher-suites.ts';
import { decodeHandshakeFragments, encodeWholeMessage } from '../codec/handshake-fragment.ts';
import {
  decodeClientHello,
  encodeHelloVerifyRequest,
  encodeServerHello,
  type ClientHello,
  type ServerHello,
} from '../codec/hello.ts';
import { decodeRecord, encodeRecordHeader } from '../codec/record.ts';
import { ContentType, ExtensionType, HandshakeType } from '../constants.ts';
import { nodeRecordCipher } from '../crypto/node-record-cipher.ts';
import { deriveKeyBlock, deriveVerifyData } from '../crypto/key-schedule.ts';
import { Transcript } from '../handshake/transcript.ts';
import { SecureRecords } from '../session/secure-records.ts';
import { PSK, type World } from './simulated-world.ts';

/** A PSK server that answers what a test tells it to, in any order, with the right keys. */
export class ScriptedServer {
  readonly #channel: ReturnType<World['network']['bind']>;
  readonly #transcript = new Transcript();
  readonly #random = new Uint8Array(32).fill(9);
  #messageSeq = 0;
  #plainSequence = 0;
  #client: { readonly address: string; readonly port: number } | undefined;
  #masterSecret: Uint8Array | undefined;
  hello: ClientHello | undefined;
  records: SecureRecords | undefined;
  /** Types of the handshake messages, plain and protected, that came. */
  readonly messages: number[] = [];
  readonly alerts: number[] = [];

  constructor(world: World, address: string, port: number) {
    this.#channel = world.network.bind(address, port);
    this.#channel.listen({
      datagram: (data, from) => {
        this.#client = from;
        this.#receive(data.slice());
      },
    });
  }

  helloVerifyRequest(): void {
    this.#transcript.clear();
    const body = encodeHelloVerifyRequest(Uint8Array.of(1, 2, 3));
    this.#handshake(encodeWholeMessage(HandshakeType.hello_verify_request, this.#messageSeq++, body));
  }

  serverHello(more: Partial<ServerHello> = {}): void {
    const body = encodeServerHello({
      version: 0xfefd,
      random: this.#random,
      sessionId: new Uint8Array(0),
      cipherSuite: 0xc0a8,
      compressionMethod: 0,
      extensions: new Map([[ExtensionType.extended_master_secret, new Uint8Array(0)]]),
      ...more,
    });
    this.message(HandshakeType.server_hello, body);
  }

  message(type: number, body: Uint8Array): void {
    const message = encodeWholeMessage(type, this.#messageSeq++, body);
    // RFC 5246 §7.4.1.1: HelloRequest is never hashed.
    if (type !== HandshakeType.hello_request) this.#transcript.append(message);
    this.#handshake(message);
  }

  changeCipherSpec(): void {
    this.#plain(ContentType.change_cipher_spec, Uint8Array.of(1));
  }

  /** Finished, under keys unless `plain` forbids it; without keys it is garbage. */
  finished(plain = false): void {
    const verifyData = deriveVerifyData(
      this.#masterSecret ?? new Uint8Array(48),
      'server',
      this.#transcript.digest(),
    );
    const message = encodeWholeMessage(HandshakeType.finished, this.#messageSeq++, verifyData);
    this.#transcript.append(message);
    if (plain || this.records === undefined) this.#handshake(message);
    else this.#secure(ContentType.handshake, message);
  }

  data(text: string): void {
    if (this.records === undefined) this.#plain(ContentType.application_data, Buffer.from(text));
    else this.#secure(ContentType.application_data, Buffer.from(text));
  }

  alert(level: number, description: number): void {
    this.#plain(ContentType.alert, Uint8Array.of(level, description));
  }

  #handshake(message: Uint8Array): void {
    this.#plain(ContentType.handshake, message);
  }

  #plain(type: number, content: Uint8Array): void {
    const out = new Uint8Array(13 + content.length);
    const header = { type, epoch: 0, sequence: this.#plainSequence++, length: content.length };
    out.set(content, encodeRecordHeader(out, 0, header));
    this.#send(out);
  }

  #secure(type: number, content: Uint8Array): void {
    assert.ok(this.records);
    const out = new Uint8Array(this.records.overhead + content.length);
    this.records.seal(out, 0, type, content);
    this.#send(out);
  }

  #send(datagram: Uint8Array): void {
    assert.ok(this.#client, 'nobody has spoken yet');
    this.#channel.send(datagram, this.#channel.peerAt(this.#client.address, this.#client.port));
  }

  #receive(datagram: Uint8Array): void {
    for (let offset = 0; offset < datagram.length;) {
      const record = decodeRecord(datagram, offset, 0);
      assert.ok(record, 'a malformed record from the client');
      offset = record.end;
      if (record.epoch > 0) {
        const opened = this.records?.open(record);
        if (opened?.fate !== 'opened') continue;
        const { type, content } = opened.record;
        if (type === ContentType.handshake) this.#receiveHandshake(content);
        if (type === ContentType.alert) this.alerts.push(content[1] ?? -1);
      } else if (record.type === ContentType.handshake) this.#receiveHandshake(record.payload);
      else if (record.type === ContentType.alert) this.alerts.push(record.payload[1] ?? -1);
    }
  }

  #receiveHandshake(payload: Uint8Array): void {
    for (const { type, body, messageSeq } of decodeHandshakeFragments(payload)) {
      this.messages.push(type);
      this.#transcript.append(encodeWholeMessage(type, messageSeq, body));
      if (type === HandshakeType.client_hello) this.hello = decodeClientHello(body);
      if (type === HandshakeType.client_key_exchange) this.#deriveKeys();
    }
  }

  #deriveKeys(): void {
    const suite = CIPHER_SUITES.find(({ id }) => id === 0xc0a8);
    assert.ok(suite && this.hello);
    const masterSecret = PSK.masterSecret({
      label: 'extended master secret',
      seed: this.#transcript.digest(),
    });
    assert.ok(masterSecret instanceof Uint8Array);
    this.#masterSecret = masterSecret;
    const secrets = { masterSecret, clientRandom: this.hello.random, serverRandom: this.#random };
    this.records = new SecureRecords(
      { suite, role: 'server', keyBlock: deriveKeyBlock(secrets), cipher: nodeRecordCipher },
      {},
    );
  }
}
