import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';

/** One file as the browser gets it. */
export interface WebAsset {
  readonly contentType: string;
  readonly body: Buffer;
  readonly etag: string;
}

/** Everything the console is made of, in memory, by request path. */
export interface WebAssets {
  readonly byPath: ReadonlyMap<string, WebAsset>;
  /** Hash of the import map for the content security policy: it is the one inline script. */
  readonly importMapHash: string;
}

const WEB = new URL('../../console/web/', import.meta.url);

/** The libraries of the console: their own ES modules, as the registry delivers them. */
const MODULES: readonly (readonly [specifier: string, path: string, file: string])[] = [
  ['preact', '/modules/preact.js', 'preact/dist/preact.mjs'],
  ['preact/hooks', '/modules/preact-hooks.js', 'preact/hooks/dist/hooks.mjs'],
  ['htm', '/modules/htm.js', 'htm/dist/htm.module.js'],
  ['uplot', '/modules/uplot.js', 'uplot/dist/uPlot.esm.js'],
];
const CHART_STYLE = ['/modules/uplot.css', 'uplot/dist/uPlot.min.css'] as const;

/**
 * Reads the console's files once. Types are stripped here, so that there is no build step: what the browser
 * runs is what stands in `console/web`, line by line.
 */
export function loadWebAssets(): WebAssets {
  const byPath = new Map<string, WebAsset>();
  const importMap = JSON.stringify({
    imports: Object.fromEntries(MODULES.map(([specifier, path]) => [specifier, path])),
  });
  const page = readFileSync(new URL('index.html', WEB), 'utf8').replace('__IMPORT_MAP__', () => importMap);
  byPath.set('/', asset('text/html; charset=utf-8', page));
  byPath.set(
    '/app/style.css',
    asset('text/css; charset=utf-8', readFileSync(new URL('style.css', WEB), 'utf8')),
  );
  byPath.set('/app/icon.svg', asset('image/svg+xml', readFileSync(new URL('icon.svg', WEB), 'utf8')));
  for (const name of scriptNames()) {
    const script = stripTypeScriptTypes(readFileSync(new URL(name, WEB), 'utf8'), { mode: 'strip' });
    byPath.set(`/app/${name}`, asset('text/javascript; charset=utf-8', script));
  }
  for (const [, path, file] of MODULES)
    byPath.set(path, asset('text/javascript; charset=utf-8', packageFile(file)));
  byPath.set(CHART_STYLE[0], asset('text/css; charset=utf-8', packageFile(CHART_STYLE[1])));
  const importMapHash = `'sha256-${createHash('sha256').update(importMap).digest('base64')}'`;
  return { byPath, importMapHash };
}

function scriptNames(): readonly string[] {
  return readdirSync(WEB, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
}

/**
 * A file of an installed package, found from the package's folder: `exports` names the modules, not every
 * file.
 */
function packageFile(file: string): string {
  const [name = ''] = file.split('/', 1);
  const require = createRequire(import.meta.url);
  const folders = require.resolve.paths(name) ?? [];
  for (const folder of folders) {
    try {
      return readFileSync(`${folder}/${file}`, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
    } catch {
      // The next folder up.
    }
  }
  throw new RangeError(`the package ${name} is not installed`);
}

function asset(contentType: string, text: string): WebAsset {
  const body = Buffer.from(text, 'utf8');
  return {
    contentType,
    body,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
  };
}
