import type { Clock, StreamConnection, Timers } from '@sefleet/runtime';
import { LineSplitter } from './line-splitter.ts';
import { RacsServerSession, type RacsServerContext } from './server-session.ts';

/** Why a connection ended: by the client, for its silence, for what it sent, or for a failure here. */
export type RacsEnd = 'closed' | 'silent' | 'flood' | 'line-too-long' | 'failed';

/** What one connection did, for the log: no command and no answer. */
export interface RacsSessionSummary {
  readonly commonName: string;
  readonly end: RacsEnd;
  readonly commands: number;
  readonly refused: number;
}

/** What a server watches over its connections with. */
export interface RacsConnectionOptions {
  readonly runtime: { readonly clock: Clock; readonly timers: Timers };
  /**
   * A client that sends no whole line for so long is cut off: it may be dead, and others wait for what it
   * holds.
   */
  readonly silenceMs: number;
  ended?(summary: RacsSessionSummary): void;
}

/** Lines taken from the socket and not yet carried out, and their bytes: who sends more is cut off. */
const WAITING_LINES_MAX = 4096;
const WAITING_BYTES_MAX = 4 * 1_048_576;
/** Lines of one client that are carried out before others have their turn. */
const TURN_LINES = 256;

/**
 * Serves one TLS connection: lines are carried out in their order, answers are written no faster than the
 * client reads, and when the connection ends everything that it used is powered off.
 *
 * @param commonName of the certificate that the client proved; a connection without one must not come here.
 */
export function serveRacsConnection(
  connection: StreamConnection,
  context: RacsServerContext,
  commonName: string,
  options: RacsConnectionOptions,
): void {
  new ServedConnection(connection, new RacsServerSession(context, commonName), commonName, options).listen();
}

class ServedConnection {
  readonly #connection: StreamConnection;
  readonly #session: RacsServerSession;
  readonly #commonName: string;
  readonly #options: RacsConnectionOptions;
  readonly #splitter = new LineSplitter();
  readonly #waiting: string[] = [];
  #waitingBytes = 0;
  #working = false;
  #open = true;
  #heardMs: number;

  constructor(
    connection: StreamConnection,
    session: RacsServerSession,
    commonName: string,
    options: RacsConnectionOptions,
  ) {
    this.#connection = connection;
    this.#session = session;
    this.#commonName = commonName;
    this.#options = options;
    this.#heardMs = options.runtime.clock.monotonicMs();
  }

  listen(): void {
    this.#connection.listen({ data: (data) => this.#take(data), closed: () => this.#end('closed') });
    this.#watch(this.#options.silenceMs);
  }

  #take(data: Uint8Array): void {
    if (!this.#open) return;
    let lines: readonly string[];
    try {
      lines = this.#splitter.push(data);
    } catch {
      return this.#cut('line-too-long');
    }
    if (lines.length === 0) return;
    this.#heardMs = this.#options.runtime.clock.monotonicMs();
    for (const line of lines) {
      this.#waiting.push(line);
      this.#waitingBytes += line.length;
    }
    const isFlood = this.#waiting.length > WAITING_LINES_MAX || this.#waitingBytes > WAITING_BYTES_MAX;
    if (isFlood) this.#cut('flood');
    else if (!this.#working) this.#work().catch(() => this.#cut('failed'));
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let done = 1; this.#open; done++) {
      const line = this.#waiting.shift();
      if (line === undefined) break;
      this.#waitingBytes -= line.length;
      const answer = await this.#session.receive(line);
      if (!this.#open) break;
      if (answer.length > 0) await this.#answer(answer);
      if (done % TURN_LINES === 0) await this.#turn();
    }
    this.#working = false;
  }

  async #answer(lines: readonly string[]): Promise<void> {
    const whole = `${lines.join('\r\n')}\r\n`;
    if (!this.#connection.write(Buffer.from(whole, 'latin1'))) await this.#connection.writable();
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => void this.#options.runtime.timers.after(0, resolve));
  }

  #watch(afterMs: number): void {
    const { runtime, silenceMs } = this.#options;
    runtime.timers.after(afterMs, () => {
      if (!this.#open) return;
      const silentMs = runtime.clock.monotonicMs() - this.#heardMs;
      if (silentMs >= silenceMs) this.#cut('silent');
      else this.#watch(silenceMs - silentMs);
    });
  }

  #cut(end: RacsEnd): void {
    this.#connection.close();
    this.#end(end);
  }

  #end(end: RacsEnd): void {
    if (!this.#open) return;
    this.#open = false;
    this.#waiting.length = 0;
    this.#session.close();
    this.#options.ended?.({ commonName: this.#commonName, end, ...this.#session.done });
  }
}
