import { racsError } from './errors.ts';
import { LINE_BYTES_MAX } from './limits.ts';

const LINE_FEED = 0x0a;

/** Cuts a byte stream into lines that end with LF or CRLF. Each byte is looked at once. */
export class LineSplitter {
  #parts: string[] = [];
  #length = 0;

  /** The lines that are whole after these bytes. @throws SefleetError `RACS_LINE_TOO_LONG`. */
  push(data: Uint8Array): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let at = data.indexOf(LINE_FEED); at >= 0; at = data.indexOf(LINE_FEED, from)) {
      this.#add(data.subarray(from, at));
      const line = this.#parts.join('');
      lines.push(line.endsWith('\r') ? line.slice(0, -1) : line);
      this.#parts = [];
      this.#length = 0;
      from = at + 1;
    }
    this.#add(data.subarray(from));
    return lines;
  }

  #add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#length += bytes.length;
    if (this.#length > LINE_BYTES_MAX) {
      throw racsError('RACS_LINE_TOO_LONG', `a line has more than ${LINE_BYTES_MAX} bytes`);
    }
    this.#parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'));
  }
}
