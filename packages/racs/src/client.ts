import { fromHex, toHex } from '@sefleet/bytes';
import type { StreamConnection } from '@sefleet/runtime';
import { racsError } from './errors.ts';
import { isSeid } from './command.ts';
import { LineSplitter } from './line-splitter.ts';
import { parseStatusLine, type StatusLine } from './status-line.ts';

/** What the server answered to one request. */
export interface RacsResponse {
  readonly label: string;
  readonly statuses: readonly StatusLine[];
}

interface Waiting {
  readonly resolve: (response: RacsResponse) => void;
  readonly reject: (error: Error) => void;
}

/** Requests that wait for their answers at once. */
const WAITING_MAX = 1024;

/**
 * A client of a RACS server on a connection that is open. Requests may overlap; the server answers in their
 * order.
 *
 * @example
 * const client = new RacsClient(connection);
 * await client.powerOn('meter-1');
 * const answer = await client.transmit('meter-1', fromHex('00A4040000'));
 */
export class RacsClient {
  readonly #connection: StreamConnection;
  readonly #splitter = new LineSplitter();
  readonly #waiting: Waiting[] = [];
  #label: string | undefined;
  #statuses: StatusLine[] = [];
  #closed: Error | undefined;

  constructor(connection: StreamConnection) {
    this.#connection = connection;
    connection.listen({
      data: (data) => this.#receive(data),
      closed: (error) => this.#end(error),
    });
  }

  /**
   * Sends commands as one request (`BEGIN`, the commands, `END`) and resolves to the status lines.
   *
   * @throws SefleetError `RACS_COMMAND_INVALID`, `RACS_CONNECTION_CLOSED`, `RACS_RESPONSE_FORMAT`.
   */
  request(commands: readonly string[], label = 'sefleet'): Promise<RacsResponse> {
    if ([label, ...commands].some((line) => /[\r\n]/.test(line))) {
      return Promise.reject(racsError('RACS_COMMAND_INVALID', 'a command holds a line end'));
    }
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(
        racsError('RACS_COMMAND_INVALID', `more than ${WAITING_MAX} requests wait for answers`),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      const text = `${[`BEGIN ${label}`, ...commands, 'END'].join('\r\n')}\r\n`;
      this.#connection.write(Buffer.from(text, 'latin1'));
    });
  }

  /** The secure elements that the client's certificate may use. */
  async list(): Promise<string[]> {
    const { text } = await this.#only('LIST');
    return text === '' ? [] : text.split(' ');
  }

  async version(): Promise<string> {
    return (await this.#only('GET-VERSION')).text;
  }

  async echo(text: string): Promise<string> {
    return (await this.#only(`ECHO ${text}`)).text;
  }

  async powerOn(seid: string): Promise<void> {
    await this.#only(`POWERON ${checked(seid)}`);
  }

  async shutDown(seid: string): Promise<void> {
    await this.#only(`SHUTDOWN ${checked(seid)}`);
  }

  async reset(seid: string, warm = false): Promise<void> {
    await this.#only(`RESET ${checked(seid)}${warm ? ' WARM' : ''}`);
  }

  /** One APDU; resolves to body and status word, whatever that is. */
  async transmit(seid: string, apdu: Uint8Array): Promise<Uint8Array> {
    const { text } = await this.#only(`APDU ${checked(seid)} ${toHex(apdu).toUpperCase()}`);
    return fromHex(text);
  }

  close(): void {
    this.#connection.close();
  }

  async #only(command: string): Promise<StatusLine> {
    const { statuses } = await this.request([command]);
    const status = statuses.at(-1);
    if (status === undefined) throw racsError('RACS_RESPONSE_FORMAT', 'a response without a status line');
    if (status.ok) return status;
    const code = String(status.code).padStart(3, '0');
    throw racsError('RACS_REFUSED', `-${code} ${status.text}`, { context: { status: status.code } });
  }

  #receive(data: Uint8Array): void {
    try {
      for (const line of this.#splitter.push(data)) this.#line(line);
    } catch (error) {
      this.#end(error instanceof Error ? error : undefined);
      this.#connection.close();
    }
  }

  #line(line: string): void {
    if (this.#label === undefined) {
      const begin = /^BEGIN(?: (.*))?$/.exec(line);
      if (begin === null) throw racsError('RACS_RESPONSE_FORMAT', 'a response does not begin with BEGIN');
      this.#label = begin[1] ?? '';
      return;
    }
    if (line !== 'END') {
      const status = parseStatusLine(line);
      if (status === undefined)
        throw racsError('RACS_RESPONSE_FORMAT', 'a line of a response is no status line');
      this.#statuses.push(status);
      return;
    }
    this.#waiting.shift()?.resolve({ label: this.#label, statuses: this.#statuses });
    this.#label = undefined;
    this.#statuses = [];
  }

  #end(error: Error | undefined): void {
    this.#closed ??= racsError(
      'RACS_CONNECTION_CLOSED',
      'the connection is over',
      error === undefined ? {} : { cause: error },
    );
    for (const { reject } of this.#waiting.splice(0)) reject(this.#closed);
  }
}

function checked(seid: string): string {
  if (!isSeid(seid)) throw racsError('RACS_COMMAND_INVALID', 'a SEID is one word of visible characters');
  return seid;
}
