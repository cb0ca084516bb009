import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from './printable.ts';
import { formatTable } from './table.ts';

test('what others wrote moves no cursor and hides nothing', () => {
  const hostile = 'meter\u001b[2K\r\u009b1A\nall holds';
  assert.equal(printable(hostile), 'meter\\x1b[2K\\x0d\\x9b1A\\x0aall holds');
  assert.equal(printable('Zähler-1 Größe'), 'Zähler-1 Größe');
  const table = formatTable(['subject', 'n'], [[hostile, 1]]);
  assert.equal(table.split('\n').length, 3);
  assert.ok(!table.includes('\u001b'));
});
