import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readErrorCodes } from './error-codes.ts';

const documented = new Set(
  [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, code]) => code),
);

test('finds the codes', () => assert.ok(readErrorCodes().size > 30));

test('every code that the sources raise stands in docs/errors.md', () => {
  assert.deepEqual(
    [...readErrorCodes().keys()].filter((code) => !documented.has(code)),
    [],
  );
});

test('every code of docs/errors.md is raised somewhere', () => {
  const raised = readErrorCodes();
  assert.deepEqual(
    [...documented].filter((code) => code !== undefined && !raised.has(code)),
    [],
  );
});
