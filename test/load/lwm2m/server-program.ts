import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { UdpChannel } from '@sefleet/runtime/node';

/** What a server under load has counted. */
export interface Counts {
  readonly registered: number;
  readonly updated: number;
  readonly notified: number;
}

/** A server in a process of its own that answers one line for each line that it is told. */
export class ServerProgram {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(port: number, child: ChildProcess, lines: AsyncIterator<string>) {
    this.port = port;
    this.#process = child;
    this.#lines = lines;
  }

  /** Starts it on a free port and waits until it is ready. */
  static async start(command: (port: number) => readonly string[]): Promise<ServerProgram> {
    const probe = await UdpChannel.bind({ address: '127.0.0.1' });
    const { port } = probe.localAddress();
    await probe.close();
    const [program = '', ...args] = command(port);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    if (child.stdout === null) throw new TypeError('the server has no output');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const server = new ServerProgram(port, child, lines);
    await server.#line();
    return server;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  ask(line: string): Promise<string> {
    this.#process.stdin?.write(`${line}\n`);
    return this.#line();
  }

  async counts(): Promise<Counts> {
    const [, registered, updated, notified] = (await this.ask('count')).split(' ').map(Number);
    return { registered: registered ?? 0, updated: updated ?? 0, notified: notified ?? 0 };
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, 'exit');
    this.#process.stdin?.end('stop\n');
    await exited;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new RangeError('the server has ended');
    return value;
  }
}
