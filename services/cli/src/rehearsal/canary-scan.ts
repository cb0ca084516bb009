import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A secret that belongs to one party alone. */
export interface Canary {
  readonly owner: string;
  readonly name: string;
  readonly value: Uint8Array;
}

/**
 * Looks for secrets in every file below `folders`, as bytes, as hexadecimal and as base64. Vaults are looked
 * into like everything else: they are sealed.
 *
 * @returns Where one was found: `<file>: <name> of <owner>`.
 */
export function scanForCanaries(folders: readonly string[], canaries: readonly Canary[]): readonly string[] {
  const needles = canaries.flatMap(({ owner, name, value }) => {
    const bytes = Buffer.from(value);
    const forms = [
      bytes,
      Buffer.from(bytes.toString('hex')),
      Buffer.from(bytes.toString('base64').replaceAll('=', '')),
    ];
    return forms.map((form) => ({ form, label: `${name} of ${owner}` }));
  });
  const hits: string[] = [];
  for (const file of folders.flatMap(filesBelow)) {
    const content = readFileSync(file);
    for (const { form, label } of needles) {
      if (content.includes(form)) hits.push(`${file}: ${label}`);
    }
  }
  return hits;
}

function filesBelow(folder: string): string[] {
  if (!statSync(folder).isDirectory()) return [folder];
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}
