/** A frame: its length in two bytes, then that many bytes. */
export function encodeFrame(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + body.length);
  frame[0] = (body.length >> 8) & 0xff;
  frame[1] = body.length & 0xff;
  frame.set(body, 2);
  return frame;
}

/** Cuts a byte stream into frames; what is not whole yet waits, 65,537 bytes at most. */
export class FrameSplitter {
  #rest: Uint8Array = new Uint8Array(0);

  push(data: Uint8Array): Uint8Array[] {
    const joined = new Uint8Array(this.#rest.length + data.length);
    joined.set(this.#rest);
    joined.set(data, this.#rest.length);
    const frames: Uint8Array[] = [];
    let at = 0;
    while (joined.length - at >= 2) {
      const length = (joined[at] ?? 0) * 256 + (joined[at + 1] ?? 0);
      if (joined.length - at - 2 < length) break;
      if (length > 0) frames.push(joined.slice(at + 2, at + 2 + length));
      at += 2 + length;
    }
    this.#rest = joined.slice(at);
    return frames;
  }
}
