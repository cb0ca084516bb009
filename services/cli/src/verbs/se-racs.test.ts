import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStatusLine, type StatusLine } from '@sefleet/racs';
import { racsExitCode } from './se-racs.ts';

function status(line: string): StatusLine {
  const found = parseStatusLine(line);
  assert.ok(found);
  return found;
}

test('a request ends with 0 when all went well, 2 when something was refused, 3 when the element was not to be had', () => {
  assert.equal(racsExitCode([status('+002 001 0.2'), status('+006 002 9000')]), 0);
  // Refused by the element, an unknown command, not authorised.
  for (const line of ['-006 002 6A82', '-100 001 NONSENSE', '-608 001 no such element'])
    assert.equal(racsExitCode([status('+002 001 0.2'), status(line)]), 2, line);
  for (const line of ['-708 001 in use', '-808 001 no answer', '-900 001 too many commands'])
    assert.equal(racsExitCode([status(line)]), 3, line);
});
