import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { partyId } from '../../domain/party.ts';
import { loadRootKey } from './root-key.ts';
import { Seal } from './seal.ts';
import { createSoftwareCustody } from './software-custody.ts';

const ROOT = new Uint8Array(32).fill(1);
const NORTHERN = partyId('northern-power');
const { clock } = createNodeRuntime();

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'custody-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('software custody', () => {
  it('does not open under another root key', async (t) => {
    const folder = temporaryFolder(t);
    const custody = createSoftwareCustody({ folder, rootKey: ROOT, clock });
    await custody.vault(NORTHERN).ensureMaster('domain', 1);
    custody.close();
    const other = createSoftwareCustody({ folder, rootKey: ROOT.with(0, 2), clock });
    await rejects(other.vault(NORTHERN).diversify('domain', 1, new Uint8Array(10)), {
      code: 'CUSTODY_SEAL_BROKEN',
    });
    other.close();
  });

  it('does not open what another party sealed', () => {
    const sealed = new Seal(ROOT, 'northern-power').seal('key 1', Buffer.from('secret'));
    throws(() => new Seal(ROOT, 'sunrise-energy').open('key 1', sealed), { code: 'CUSTODY_SEAL_BROKEN' });
  });
});

describe('the root key', () => {
  it('is made once, for its owner only', (t) => {
    const folder = temporaryFolder(t);
    const key = loadRootKey('', folder);
    deepEqual(loadRootKey('', folder), key);
    equal(statSync(join(folder, 'vault.key')).mode & 0o077, 0);
  });

  it('is not taken from a file that others can read', (t) => {
    const folder = temporaryFolder(t);
    loadRootKey('', folder);
    chmodSync(join(folder, 'vault.key'), 0o640);
    throws(() => loadRootKey('', folder), { code: 'CUSTODY_ROOT_KEY_INVALID', message: /read by others/ });
  });

  it('comes from the setting in hexadecimal or base64, and is refused when it is too short', (t) => {
    const folder = temporaryFolder(t);
    deepEqual(loadRootKey(Buffer.from(ROOT).toString('hex'), folder), Buffer.from(ROOT));
    deepEqual(loadRootKey(Buffer.from(ROOT).toString('base64'), folder), Buffer.from(ROOT));
    throws(() => loadRootKey('abcd', folder), { code: 'CUSTODY_ROOT_KEY_INVALID' });
  });
});
