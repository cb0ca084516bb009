import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const CHUNK_BYTES = 16 * 1024 * 1024;
/** An entry of `/proc/<pid>/pagemap`: in its last byte, bit 63 says that the page is present, bit 62 swapped. */
const ENTRY_BYTES = 8;
const IN_USE = 0xc0;
/** The type of the entry of `/proc/self/auxv` that has the size of a page. */
const AT_PAGESZ = 6n;
const USUAL_PAGE_BYTES = 4096;
const PAGE_BYTES = readPageBytes();

interface Region {
  readonly from: number;
  readonly until: number;
}

/**
 * The writable memory of a process, in pieces: JavaScript heap, buffers outside of it, native heap, stacks. A
 * heap snapshot would leave out the contents of buffers, where keys are. Nothing where the system does not
 * show memory as `/proc` does, or does not show this one. Pages that were reserved and never touched hold
 * nothing, and are left out: a process has several times as many of them as of others.
 *
 * @param overlap So many bytes of each piece come again with the next.
 */
export function* memoryOf(pid: number, overlap: number): Generator<Buffer> {
  const regions = readRegions(pid);
  const memory = tryOpen(`/proc/${pid}/mem`);
  if (memory === undefined) return;
  const pages = tryOpen(`/proc/${pid}/pagemap`);
  const chunk = Buffer.alloc(CHUNK_BYTES + overlap);
  try {
    for (const region of regions) {
      for (const { from, until } of pages === undefined ? [region] : touchedPartsOf(region, pages)) {
        for (let at = from; at < until; at += CHUNK_BYTES) {
          const length = Math.min(chunk.length, until - at);
          yield chunk.subarray(0, tryRead(memory, chunk, at, length));
        }
      }
    }
  } finally {
    closeSync(memory);
    if (pages !== undefined) closeSync(pages);
  }
}

/** Runs of pages that were written or read once. */
function touchedPartsOf(region: Region, pages: number): readonly Region[] {
  const first = region.from / PAGE_BYTES;
  const count = (region.until - region.from) / PAGE_BYTES;
  const entries = Buffer.alloc(count * ENTRY_BYTES);
  if (tryRead(pages, entries, first * ENTRY_BYTES, entries.length) < entries.length) return [region];
  const parts: Region[] = [];
  let begin: number | undefined;
  for (let page = 0; page <= count; page++) {
    const inUse = ((entries[page * ENTRY_BYTES + ENTRY_BYTES - 1] ?? 0) & IN_USE) !== 0;
    if (inUse) begin ??= page;
    else if (begin !== undefined) {
      parts.push({ from: (first + begin) * PAGE_BYTES, until: (first + page) * PAGE_BYTES });
      begin = undefined;
    }
  }
  return parts;
}

function readPageBytes(): number {
  try {
    const vector = readFileSync('/proc/self/auxv');
    for (let at = 0; at + 16 <= vector.length; at += 16) {
      if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
    }
  } catch {
    // No such system: then there is no memory to be read either.
  }
  return USUAL_PAGE_BYTES;
}

function readRegions(pid: number): Region[] {
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
