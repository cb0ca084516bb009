import { hash } from 'node:crypto';

/**
 * Every handshake message that the Finished messages and CertificateVerify cover, in order (RFC 5246 §7.4.9,
 * RFC 6347
 * §4.2.6). The bytes are kept rather than a running digest: signatures are made over the messages themselves.
 */
export class Transcript {
  #messages: Uint8Array[] = [];

  append(message: Uint8Array): void {
    this.#messages.push(message);
  }

  clear(): void {
    this.#messages = [];
  }

  /** All messages so far, joined. */
  bytes(): Uint8Array {
    const [only] = this.#messages;
    if (only !== undefined && this.#messages.length === 1) return only;
    const joined = Buffer.concat(this.#messages);
    this.#messages = [joined];
    return joined;
  }

  /** SHA-256 over all messages so far. */
  digest(): Uint8Array {
    return hash('sha256', this.bytes(), 'buffer');
  }
}
