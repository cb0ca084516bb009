const BAR_WIDTH = 24;
const CLEAR_LINE = '\r\u001b[2K';

/** One line a stage: live with a bar on a terminal, a plain line now and then elsewhere. */
export interface Progress {
  /** Shows how far a stage is; `note` holds rates and errors. */
  update(stage: string, done: number, total: number, note?: string): void;
  /** Ends the stage with its last line. */
  finish(stage: string, note: string): void;
  /** A line that is not a stage. */
  say(line: string): void;
}

/** Progress on standard error, so that standard output stays for results. */
export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const live = stream.isTTY === true && process.env['NO_COLOR'] === undefined;
  let open = false;
  let lastPlainMs = 0;
  const closeLine = (): void => {
    if (open) stream.write(CLEAR_LINE);
    open = false;
  };
  return {
    update: (stage, done, total, note = '') => {
      const line = `${stage.padEnd(12)} ${bar(done, total)} ${String(done).padStart(6)}/${total}  ${note}`;
      if (live) {
        stream.write(`${CLEAR_LINE}${line.slice(0, (stream.columns ?? 120) - 1)}`);
        open = true;
      } else if (performance.now() - lastPlainMs > 2000) {
        lastPlainMs = performance.now();
        stream.write(`${line}\n`);
      }
    },
    finish: (stage, note) => {
      closeLine();
      stream.write(`${stage.padEnd(12)} ${note}\n`);
    },
    say: (line) => {
      closeLine();
      stream.write(`${line}\n`);
    },
  };
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? 0 : Math.min(BAR_WIDTH, Math.round((done / total) * BAR_WIDTH));
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`;
}
