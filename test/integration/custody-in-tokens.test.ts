import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  createSoftTokenStore,
  SKIP_WITHOUT_SOFT_TOKEN,
} from '../../services/provisioning/src/testing/soft-token.ts';

const store = createSoftTokenStore();
after(() => store.remove());

/** Runs the command with the parties' keys in tokens; the PIN file is made with each run's data. */
function sefleet(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  const { SEFLEET_PKCS11_PINS: _own, ...environment } = store.environment;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['services/cli/bin/sefleet.mjs', ...args],
      { env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout });
      },
    );
  });
}

test(
  'a supplier switch with a killed service runs with every party in a PKCS#11 token of its own',
  { skip: SKIP_WITHOUT_SOFT_TOKEN },
  async () => {
    const out = join(store.folder, 'report');
    const options = ['--meters', '12', '--faults', 'lost-ack=20%,power-cut=20%', '--seed', '5', '--out', out];
    const { code, stdout } = await sefleet(
      'rehearse',
      'supplier-switch',
      ...options,
      '--ground',
      'light',
      '--kill-after',
      '500',
      '--json',
    );
    assert.equal(code, 0, stdout);
    const { switched, canaryHits, invariants } = JSON.parse(stdout);
    assert.equal(switched, 12);
    assert.equal(canaryHits, 0);
    assert.deepEqual(
      invariants.filter(({ holds }: { holds: boolean }) => !holds),
      [],
    );
    // Both suppliers, the issuer, the manager, the authority, the household, the network and the chip maker.
    assert.ok(readdirSync(store.tokens).length >= 8);
  },
);
