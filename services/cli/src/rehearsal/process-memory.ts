import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const CHUNK_BYTES = 16 * 1024 * 1024;

/**
 * The writable memory of a process, in pieces: JavaScript heap, buffers outside of it, native heap, stacks. A
 * heap snapshot would leave out the contents of buffers, where keys are. Nothing where the system does not
 * show memory as `/proc` does, or does not show this one.
 *
 * @param overlap So many bytes of each piece come again with the next.
 */
export function* memoryOf(pid: number, overlap: number): Generator<Buffer> {
  const regions = readRegions(pid);
  const memory = tryOpen(`/proc/${pid}/mem`);
  if (memory === undefined) return;
  const chunk = Buffer.alloc(CHUNK_BYTES + overlap);
  try {
    for (const { from, until } of regions) {
      for (let at = from; at < until; at += CHUNK_BYTES) {
        const length = Math.min(chunk.length, until - at);
        yield chunk.subarray(0, tryRead(memory, chunk, at, length));
      }
    }
  } finally {
    closeSync(memory);
  }
}

function readRegions(pid: number): { readonly from: number; readonly until: number }[] {
  let maps: string;
  try {
    maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
  } catch {
    // No such process, or no such system: the caller reports that nothing was read.
    return [];
  }
  return maps.split('\n').flatMap((line) => {
    const [, from, until] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined || until === undefined) return [];
    return [{ from: Number.parseInt(from, 16), until: Number.parseInt(until, 16) }];
  });
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    // Not ours to read: reported as nothing read.
    return undefined;
  }
}

function tryRead(memory: number, chunk: Buffer, position: number, length: number): number {
  try {
    return readSync(memory, chunk, 0, length, position);
  } catch {
    // Pages that were reserved and never touched cannot be read, and hold nothing.
    return 0;
  }
}
