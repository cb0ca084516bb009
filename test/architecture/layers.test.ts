import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { findBreach, findCycles, readImports, type Import } from './imports.ts';

let imports: Import[];
let modules: number;

before(async () => {
  ({ imports, modules } = await readImports(['packages', 'services']));
});

test('reads the whole project', () => {
  assert.ok(modules > 100, `${modules} modules were read`);
  assert.ok(
    imports.some(({ from, to }) => from.startsWith('packages/') && to.startsWith('packages/bytes/')),
    'imports between rooms are resolved to files',
  );
});

test('rooms import only from layers below', () => {
  assert.deepEqual(
    imports.map(findBreach).filter((breach) => breach !== undefined),
    [],
  );
});

test('no two files import each other in a circle, type imports included', () => {
  assert.deepEqual(
    findCycles(imports).map((cycle) => cycle.join(' -> ')),
    [],
  );
});

test('a planted breach and a planted circle are found', async () => {
  const folder = 'packages/bytes/src/planted';
  mkdirSync(folder);
  try {
    writeFileSync(
      `${folder}/up.ts`,
      "import type { Verb } from '../../../../services/cli/src/command-line.ts';\nimport './back.ts';\nexport type X = Verb;\n",
    );
    writeFileSync(`${folder}/back.ts`, "import type { X } from './up.ts';\nexport type Y = X;\n");
    const planted = await readImports([folder]);
    assert.equal(planted.imports.map(findBreach).filter((breach) => breach !== undefined).length, 1);
    assert.equal(findCycles(planted.imports).length, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
