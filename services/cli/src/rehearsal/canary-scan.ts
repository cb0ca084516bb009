import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { formsOf, NeedleSearch } from './needles.ts';
import { memoryOf } from './process-memory.ts';

/** A secret that belongs to one party alone. */
export interface Canary {
  readonly owner: string;
  readonly name: string;
  readonly value: Uint8Array;
  /** Whether it lies on cards too: who runs cards has it. */
  readonly onCard: boolean;
  /** A reading in the clear, not a key: who keeps keys for others has no business with it. */
  readonly isReading?: boolean;
}

/** A place that was searched. */
export interface ScannedPlace {
  readonly place: string;
  readonly kind: 'files' | 'memory' | 'card';
  /** How many secrets must not be there; 0 for a place that may hold them all. */
  readonly secrets: number;
  readonly bytes: number;
  /** What was found: `<file or process>: <secret> of <owner>`. */
  readonly hits: readonly string[];
  /** Why fewer secrets than all are looked for, or empty. */
  readonly note: string;
}

const CHUNK_BYTES = 16 * 1024 * 1024;

/**
 * Searches every file below a folder. Vaults are searched like everything else: they are sealed.
 *
 * @param except Names in the folder that are left out.
 */
export function scanFiles(
  folder: string,
  canaries: readonly Canary[],
  except: ReadonlySet<string> = new Set(),
): ScannedPlace {
  const search = searchFor(canaries);
  const hits = new Set<string>();
  let bytes = 0;
  for (const file of filesBelow(folder, except)) {
    for (const piece of contentOf(file, search.longest)) {
      bytes += piece.length;
      for (const label of search.find(piece)) hits.add(`${file}: ${label}`);
    }
  }
  return {
    place: basename(folder),
    kind: 'files',
    secrets: canaries.length,
    bytes,
    hits: [...hits],
    note: '',
  };
}

/** Searches the memory of a process; 0 bytes when the system does not let anybody read it. */
export function scanMemory(
  { name, pid }: { readonly name: string; readonly pid: number },
  canaries: readonly Canary[],
  note = '',
): ScannedPlace {
  const search = searchFor(canaries);
  const hits = new Set<string>();
  let bytes = 0;
  if (canaries.length === 0) return { place: name, kind: 'memory', secrets: 0, bytes, hits: [], note };
  for (const piece of memoryOf(pid, search.longest)) {
    bytes += piece.length;
    for (const label of search.find(piece)) hits.add(`memory of ${name}: ${label}`);
  }
  return { place: name, kind: 'memory', secrets: canaries.length, bytes, hits: [...hits], note };
}

/** Searches what a card holds, as its image. */
export function scanCard(place: string, image: Uint8Array, canaries: readonly Canary[]): ScannedPlace {
  const found = searchFor(canaries).find(Buffer.from(image));
  const hits = [...new Set(found)].map((label) => `card of ${place}: ${label}`);
  return { place, kind: 'card', secrets: canaries.length, bytes: image.length, hits, note: '' };
}

function searchFor(canaries: readonly Canary[]): NeedleSearch {
  return new NeedleSearch(
    canaries.flatMap(({ owner, name, value }) =>
      formsOf(value).map((bytes) => ({ bytes, label: `${name} of ${owner}` })),
    ),
  );
}

/** A file in pieces, each with the end of the one before. */
function* contentOf(file: string, overlap: number): Generator<Buffer> {
  const descriptor = openSync(file, 'r');
  const chunk = Buffer.alloc(CHUNK_BYTES + overlap);
  try {
    for (let at = 0; ; at += CHUNK_BYTES) {
      const length = readSync(descriptor, chunk, 0, chunk.length, at);
      if (length > 0) yield chunk.subarray(0, length);
      if (length < chunk.length) return;
    }
  } finally {
    closeSync(descriptor);
  }
}

function filesBelow(folder: string, except: ReadonlySet<string> = new Set()): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (except.has(name)) return [];
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) return filesBelow(path);
    return found?.isFile() === true ? [path] : [];
  });
}
