import { deepEqual, equal, notDeepEqual, ok, rejects, throws } from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { partyId } from '../domain/party.ts';
import { loadRootKey } from './root-key.ts';
import { Seal } from './sealing.ts';
import { createSoftwareCustody } from './software-custody.ts';

const ROOT = new Uint8Array(32).fill(1);
const NORTHERN = partyId('northern-power');
const SUNRISE = partyId('sunrise-energy');
const CARD = new Uint8Array(10).fill(3);
const { clock } = createNodeRuntime();

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'custody-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('software custody', () => {
  it('gives the same keys after it was opened again, and others to every party, version and card', async (t) => {
    const folder = temporaryFolder(t);
    const first = createSoftwareCustody({ folder, rootKey: ROOT, clock });
    await first.vault(NORTHERN).ensureMaster('domain', 1);
    await first.vault(NORTHERN).ensureMaster('domain', 2);
    await first.vault(SUNRISE).ensureMaster('domain', 1);
    const keys = await first.vault(NORTHERN).diversify('domain', 1, CARD);
    notDeepEqual(keys, await first.vault(NORTHERN).diversify('domain', 2, CARD));
    notDeepEqual(keys, await first.vault(SUNRISE).diversify('domain', 1, CARD));
    notDeepEqual(keys, await first.vault(NORTHERN).diversify('domain', 1, CARD.with(0, 9)));
    first.close();
    const second = createSoftwareCustody({ folder, rootKey: ROOT, clock });
    deepEqual(await second.vault(NORTHERN).diversify('domain', 1, CARD), keys);
    second.close();
  });

  it('keeps nothing in the clear and its files to their owner', async (t) => {
    const folder = temporaryFolder(t);
    const custody = createSoftwareCustody({ folder, rootKey: ROOT, clock });
    await custody.vault(NORTHERN).ensureMaster('record', 1);
    const master = await custody.vault(NORTHERN).release('record', 1);
    const secret = new Uint8Array(32).fill(0x5e);
    await custody.vault(NORTHERN).keep('agreement m-1', secret);
    custody.close();
    for (const file of readdirSync(folder)) {
      const path = join(folder, file);
      equal(statSync(path).mode & 0o077, 0);
      ok(!readFileSync(path).includes(master) && !readFileSync(path).includes(secret));
    }
  });

  it('does not open under another root key', async (t) => {
    const folder = temporaryFolder(t);
    const custody = createSoftwareCustody({ folder, rootKey: ROOT, clock });
    await custody.vault(NORTHERN).ensureMaster('domain', 1);
    custody.close();
    const other = createSoftwareCustody({ folder, rootKey: ROOT.with(0, 2), clock });
    await rejects(other.vault(NORTHERN).diversify('domain', 1, CARD), { code: 'CUSTODY_SEAL_BROKEN' });
    other.close();
  });

  it('releases record masters and nothing else', async () => {
    const custody = createSoftwareCustody({ folder: ':memory:', rootKey: ROOT, clock });
    const vault = custody.vault(NORTHERN);
    await vault.ensureMaster('domain', 1);
    await rejects(vault.release('domain', 1), { code: 'CUSTODY_RELEASE_FORBIDDEN' });
    await rejects(vault.release('record', 7), { code: 'CUSTODY_KEY_NOT_FOUND' });
    throws(() => custody.vault(partyId('nobody')), { code: 'PROVISIONING_STAKEHOLDER_NOT_FOUND' });
    custody.close();
  });

  it('takes keys along their life and remembers it; a destroyed key is gone', async () => {
    const custody = createSoftwareCustody({ folder: ':memory:', rootKey: ROOT, clock });
    const vault = custody.vault(NORTHERN);
    await vault.ensureMaster('domain', 1);
    await vault.changeState('domain', 1, 'suspend', 'audit');
    await rejects(vault.diversify('domain', 1, CARD), { code: 'CUSTODY_KEY_STATE_PRECONDITION' });
    await vault.changeState('domain', 1, 'resume', 'audit over');
    await vault.diversify('domain', 1, CARD);
    await rejects(vault.changeState('domain', 1, 'destroy', 'too early'), {
      code: 'CUSTODY_KEY_STATE_PRECONDITION',
    });
    await vault.changeState('domain', 1, 'revoke', 'rotated away');
    await vault.changeState('domain', 1, 'destroy', 'no card holds it');
    await rejects(vault.diversify('domain', 1, CARD), { code: 'CUSTODY_KEY_STATE_PRECONDITION' });
    deepEqual(
      (await vault.history('domain', 1)).map(({ to }) => to),
      ['initialised', 'active', 'suspended', 'active', 'revoked', 'destroyed'],
    );
    custody.close();
  });

  it('signs with a key that stays, and forgets what it is told to forget', async () => {
    const custody = createSoftwareCustody({ folder: ':memory:', rootKey: ROOT, clock });
    const vault = custody.vault(NORTHERN);
    const data = Buffer.from('statement');
    const signature = await vault.sign(data);
    const key = createPublicKey({
      key: Buffer.from(await vault.signingPublicKey()),
      format: 'der',
      type: 'spki',
    });
    ok(verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature));
    await vault.keep('a', CARD);
    deepEqual(await vault.recall('a'), Buffer.from(CARD));
    await vault.forget('a');
    equal(await vault.recall('a'), undefined);
    custody.close();
  });
});

describe('the root key', () => {
  it('is made once, for its owner only', (t) => {
    const folder = temporaryFolder(t);
    const key = loadRootKey('', folder);
    deepEqual(loadRootKey('', folder), key);
    equal(statSync(join(folder, 'vault.key')).mode & 0o077, 0);
  });

  it('comes from the setting in hexadecimal or base64, and is refused when it is too short', (t) => {
    const folder = temporaryFolder(t);
    deepEqual(loadRootKey(Buffer.from(ROOT).toString('hex'), folder), Buffer.from(ROOT));
    deepEqual(loadRootKey(Buffer.from(ROOT).toString('base64'), folder), Buffer.from(ROOT));
    throws(() => loadRootKey('abcd', folder), { code: 'CUSTODY_ROOT_KEY_INVALID' });
  });
});

describe('a seal', () => {
  it('opens nothing under another name, of another owner, or changed at any byte', () => {
    const seal = new Seal(ROOT, 'northern-power');
    const sealed = seal.seal('key 1', Buffer.from('secret'));
    equal(Buffer.from(seal.open('key 1', sealed)).toString(), 'secret');
    throws(() => seal.open('key 2', sealed), { code: 'CUSTODY_SEAL_BROKEN' });
    throws(() => new Seal(ROOT, 'sunrise-energy').open('key 1', sealed), { code: 'CUSTODY_SEAL_BROKEN' });
    for (let i = 0; i < sealed.length; i++) {
      throws(() => seal.open('key 1', sealed.with(i, (sealed[i] ?? 0) ^ 1)), { code: 'CUSTODY_SEAL_BROKEN' });
      throws(() => seal.open('key 1', sealed.subarray(0, i)), { code: 'CUSTODY_SEAL_BROKEN' });
    }
  });
});
