import { globSync, readFileSync } from 'node:fs';

/** A source file of the project. */
export interface Source {
  readonly path: string;
  readonly lines: readonly string[];
  readonly text: string;
}

/** Hand-written TypeScript of packages and services; tests only when asked for. */
export function readSources(options: { readonly tests?: boolean } = {}): Source[] {
  return globSync(['packages/*/src/**/*.ts', 'services/*/src/**/*.ts'])
    .filter((path) => !path.includes('/gen/'))
    .filter((path) => options.tests === true || !path.endsWith('.test.ts'))
    .map((path) => {
      const text = readFileSync(path, 'utf8');
      return { path, text, lines: text.split('\n') };
    });
}
