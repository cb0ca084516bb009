import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { globSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDER = import.meta.dirname;
const BUILD = join(tmpdir(), 'sefleet-leshan-2.0.0-M18');
const LINE_TIMEOUT_MS = 60_000;
const PROGRAMS = { java: 'java', compiler: 'javac', maven: 'mvn' } as const;

/**
 * Why Leshan cannot be had here; undefined when it is built and ready.
 *
 * @param take `fetched`: only where `SEFLEET_LESHAN` asks for it, and then Maven gets it; `found`: also what an
 *   earlier run has fetched
 */
export function buildLeshan(take: 'fetched' | 'found' = 'fetched'): string | undefined {
  const mayFetch = process.env['SEFLEET_LESHAN'] !== undefined;
  const isFound = take === 'found' && globSync(join(BUILD, 'lib', '*.jar')).length > 0;
  if (!mayFetch && !isFound) return 'opt-in: SEFLEET_LESHAN=1 has Maven fetch it';
  for (const program of Object.values(PROGRAMS)) {
    if (spawnSync(program, ['-version']).status !== 0) return `${program} is not installed`;
  }
  mkdirSync(join(BUILD, 'classes'), { recursive: true });
  const copy = ['-q', '-B', '-f', join(FOLDER, 'pom.xml'), 'dependency:copy-dependencies'];
  if (
    mayFetch &&
    spawnSync(PROGRAMS.maven, [...copy, `-DoutputDirectory=${join(BUILD, 'lib')}`], { stdio: 'inherit' })
      .status !== 0
  ) {
    return 'Maven could not get Leshan';
  }
  const extra = bootstrapServerClasses();
  const sources = globSync(join(FOLDER, extra === undefined ? '*.java' : '**/*.java'));
  const compile = ['-cp', classPath(), '-d', join(BUILD, 'classes'), ...sources];
  const { status } = spawnSync(PROGRAMS.compiler, compile, { stdio: 'inherit' });
  return status === 0 ? undefined : 'the peers do not compile';
}

/** Where Leshan's bootstrap server is, as a class path; Maven Central does not have it. */
export function bootstrapServerClasses(): string | undefined {
  return process.env['SEFLEET_LESHAN_BOOTSTRAP'];
}

function classPath(): string {
  const extra = bootstrapServerClasses();
  return [join(BUILD, 'classes'), join(BUILD, 'lib', '*'), ...(extra === undefined ? [] : [extra])].join(':');
}

/** How a Java program of this folder is started. */
export function javaCommand(name: string, args: readonly string[]): readonly string[] {
  return [PROGRAMS.java, '-cp', classPath(), name, ...args];
}

/** A Java program of this folder and the lines that it prints. */
export class JavaPeer {
  readonly lines: string[] = [];
  readonly #process: ChildProcess;
  #changed = Promise.withResolvers<void>();

  constructor(name: string, args: readonly string[]) {
    const [program = '', ...rest] = javaCommand(name, args);
    this.#process = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#process;
    if (stdout === null) throw new TypeError('the peer has no output');
    createInterface({ input: stdout }).on('line', (line) => {
      this.lines.push(line);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
  }

  /** The first line that matches; rejects when none comes. */
  async line(pattern: RegExp): Promise<string> {
    const until = AbortSignal.timeout(LINE_TIMEOUT_MS);
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (until.aborted) throw new RangeError(`no line ${String(pattern)} in:\n${this.lines.join('\n')}`);
      await Promise.race([this.#changed.promise, once(until, 'abort')]);
    }
  }

  /** Ends it in an orderly way, if it listens, else at once. */
  async stop(): Promise<void> {
    const exited = once(this.#process, 'exit');
    this.#process.stdin?.end('\n');
    this.#process.kill();
    await exited;
  }
}
