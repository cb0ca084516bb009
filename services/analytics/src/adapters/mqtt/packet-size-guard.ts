/** What the MQTT framing says about the bytes that arrive: sizes of packets before they are buffered. */
export class PacketSizeGuard {
  readonly #maxBytes: number;
  /** Bytes of the current packet still to come; 0 at a packet's first byte. */
  #left = 0;
  #lengthBytes = 0;
  #length = 0;
  #inHeader = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * False when a packet announces more than the limit, or a length of more than four bytes (MQTT 3.1.1
   * §2.2.3).
   */
  accept(data: Uint8Array): boolean {
    for (let at = 0; at < data.length;) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, data.length - at);
        this.#left -= step;
        at += step;
      } else if (!this.#inHeader) {
        this.#inHeader = true;
        this.#lengthBytes = 0;
        this.#length = 0;
        at++;
      } else {
        if (!this.#takeLengthByte(data[at] ?? 0)) return false;
        at++;
      }
    }
    return true;
  }

  #takeLengthByte(octet: number): boolean {
    this.#length += (octet & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes++;
    if (octet >= 0x80) return this.#lengthBytes < 4;
    this.#inHeader = false;
    this.#left = this.#length;
    return this.#length <= this.#maxBytes;
  }
}
