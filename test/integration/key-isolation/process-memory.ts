import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const CHUNK_BYTES = 16 * 1024 * 1024;

/**
 * How often `needle` stands in the writable memory of a process: JavaScript heap, buffers outside of it,
 * native heap, stacks. A heap snapshot would leave out the contents of buffers, where keys are.
 */
export function countInMemory(pid: number, needle: Uint8Array): number {
  const regions = readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .map((line) => /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line))
    .filter((found) => found !== null)
    .map(([, from = '0', until = '0']) => ({
      from: Number.parseInt(from, 16),
      until: Number.parseInt(until, 16),
    }));
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(CHUNK_BYTES + needle.length);
  let found = 0;
  try {
    for (const { from, until } of regions) {
      for (let at = from; at < until; at += CHUNK_BYTES) {
        found += countIn(
          chunk.subarray(0, readAt(memory, chunk, at, Math.min(chunk.length, until - at))),
          needle,
        );
      }
    }
  } finally {
    closeSync(memory);
  }
  return found;
}

function readAt(memory: number, chunk: Buffer, position: number, length: number): number {
  try {
    return readSync(memory, chunk, 0, length, position);
  } catch {
    // Pages that were reserved and never touched cannot be read, and hold nothing.
    return 0;
  }
}

function countIn(data: Buffer, needle: Uint8Array): number {
  let count = 0;
  for (let at = data.indexOf(needle); at !== -1; at = data.indexOf(needle, at + 1)) count++;
  return count;
}
