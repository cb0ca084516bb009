import { LINE_BYTES_MAX } from './limits.ts';
import { racsError } from './errors.ts';

/** Cuts a byte stream into lines that end with LF or CRLF. */
export class LineSplitter {
  #rest = '';

  /** The lines that are whole after these bytes. @throws SefleetError `RACS_LINE_TOO_LONG`. */
  push(data: Uint8Array): string[] {
    const text = this.#rest + Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
    const lines = text.split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LINE_BYTES_MAX || lines.some((line) => line.length > LINE_BYTES_MAX)) {
      throw racsError('RACS_LINE_TOO_LONG', `a line has more than ${LINE_BYTES_MAX} bytes`);
    }
    return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  }
}
