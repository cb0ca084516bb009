import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { loadWebAssets } from '../adapters/http/web-assets.ts';

const CONFIGURATION = new URL('web/tsconfig.json', import.meta.url).pathname;

test('the code of the console typechecks against the contract and the browser', () => {
  const { status, stdout } = spawnSync('tsc', ['-p', CONFIGURATION], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('every script of the console is JavaScript once its types are stripped', () => {
  const { byPath } = loadWebAssets();
  const scripts = [...byPath].filter(([, { contentType }]) => contentType.startsWith('text/javascript'));
  assert.ok(scripts.length > 15);
  for (const [path, { body }] of scripts) {
    execFileSync(process.execPath, ['--check', '--input-type=module', '-'], { input: body, stdio: 'pipe' });
    assert.doesNotMatch(body.toString(), /import type|interface \w+ \{/, path);
  }
});

test('everything that a page of the console loads is served by the console', () => {
  const { byPath } = loadWebAssets();
  const page = byPath.get('/')?.body.toString() ?? '';
  for (const [, path = ''] of page.matchAll(/(?:src|href)="(\/[^"]+)"/g)) assert.ok(byPath.has(path), path);
  const { imports } = JSON.parse(/<script type="importmap">(.*)<\/script>/.exec(page)?.[1] ?? '') as {
    imports: Record<string, string>;
  };
  for (const [path, { body, contentType }] of byPath) {
    if (!path.startsWith('/app/') || !contentType.startsWith('text/javascript')) continue;
    for (const [, specifier = ''] of body.toString().matchAll(/from '([^']+)'/g)) {
      const target = imports[specifier] ?? new URL(specifier, `http://localhost${path}`).pathname;
      assert.ok(byPath.has(target), `${path} imports ${specifier}`);
    }
  }
});
