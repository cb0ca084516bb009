import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** False when the program is there; otherwise the reason to skip its tests. */
export function skipWithout(...programs: readonly string[]): string | false {
  for (const program of programs) {
    if (spawnSync('which', [program]).status !== 0) return `${program} is not installed`;
  }
  return false;
}

/** A program that runs beside a test, with everything that it printed. */
export class RunningProgram {
  readonly #child: ChildProcess;
  output = '';
  #waiting: (() => void)[] = [];
  #ended = false;

  constructor(command: string, args: readonly string[]) {
    // A line-buffered stdout, or programs that print to a pipe tell what they got only when they end.
    this.#child = spawn('stdbuf', ['-oL', '-eL', command, ...args], { stdio: 'pipe' });
    const take = (chunk: Buffer): void => {
      this.output += chunk.toString('latin1');
      for (const wake of this.#waiting.splice(0)) wake();
    };
    this.#child.stdout?.on('data', take);
    this.#child.stderr?.on('data', take);
    this.#child.stdin?.on('error', () => {});
    this.#child.on('close', () => {
      this.#ended = true;
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Resolves when the output matches; rejects with the output when it does not in time. */
  async printed(pattern: RegExp, timeoutMs = 20_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!pattern.test(this.output)) {
      const leftMs = deadline - Date.now();
      if (leftMs <= 0 || this.#ended)
        throw new TypeError(`no ${String(pattern)} in:\n${this.output.slice(-3000)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 500));
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    const exited = new Promise<void>((resolve) => {
      this.#child.once('close', () => resolve());
    });
    this.#child.kill('SIGKILL');
    await exited;
  }
}

const handedOut = new Set<number>();

/** Below the ports that systems give to sockets which ask for any: none of those takes one meanwhile. */
const PORTS = { from: 10_000, until: 20_000 } as const;

/**
 * A port that was free a moment ago, as is the next one: the programs take no 0, and libcoap's take two, for
 * TCP as well. Some programs share a port without a word, so no port is given twice.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.until);
    if (handedOut.has(port) || handedOut.has(port + 1)) continue;
    if (!(await isFreeForTcp(port)) || !(await isFreeForTcp(port + 1))) continue;
    if (!(await isFreeForUdp(port)) || !(await isFreeForUdp(port + 1))) continue;
    handedOut.add(port).add(port + 1);
    return port;
  }
}

async function isFreeForUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    socket.bind(port, '127.0.0.1');
    await once(socket, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

async function isFreeForTcp(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}
