import { deepEqual, equal, match, notDeepEqual, notEqual, ok, rejects, throws } from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { verifyCertificate } from '@sefleet/globalplatform';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { partyId } from '../domain/party.ts';
import { createSoftTokenStore, SKIP_WITHOUT_SOFT_TOKEN } from '../testing/soft-token.ts';
import type { KeyCustody, MasterPurpose } from './key-custody.ts';
import { createPkcs11Custody } from './pkcs11/pkcs11-custody.ts';
import { createSoftwareCustody } from './software/software-custody.ts';

const ROOT = new Uint8Array(32).fill(1);
const NORTHERN = partyId('northern-power');
const SUNRISE = partyId('sunrise-energy');
const CARD = new Uint8Array(10).fill(3);
const DAY_MS = 86_400_000;
const { clock } = createNodeRuntime();

interface Subject {
  readonly name: string;
  readonly skip: string | false;
  /** Opens the custody of a folder; the same folder is the same custody. */
  readonly open: (folder: string, keyValidityMs?: number) => KeyCustody;
}

const store = createSoftTokenStore();
process.env['SOFTHSM2_CONF'] = store.environment.SOFTHSM2_CONF;
after(() => store.remove());

const SUBJECTS: readonly Subject[] = [
  {
    name: 'files',
    skip: false,
    open: (folder, keyValidityMs) => createSoftwareCustody({ folder, rootKey: ROOT, clock, keyValidityMs }),
  },
  {
    name: 'PKCS#11 tokens',
    skip: SKIP_WITHOUT_SOFT_TOKEN,
    open: (folder, keyValidityMs) =>
      createPkcs11Custody({
        folder,
        clock,
        keyValidityMs,
        module: store.environment.SEFLEET_PKCS11_MODULE,
        pinFile: join(folder, 'pins'),
      }),
  },
];

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'custody-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

for (const { name, skip, open } of SUBJECTS) {
  describe(`custody in ${name}`, { skip }, () => {
    const opened = (t: TestContext): KeyCustody => {
      const custody = open(temporaryFolder(t));
      t.after(() => custody.close());
      return custody;
    };

    it('gives the same keys after it was opened again, and others to every party, version and card', async (t) => {
      const folder = temporaryFolder(t);
      const first = open(folder);
      await first.vault(NORTHERN).ensureMaster('domain', 1);
      await first.vault(NORTHERN).ensureMaster('domain', 2);
      await first.vault(SUNRISE).ensureMaster('domain', 1);
      const keys = await first.vault(NORTHERN).diversify('domain', 1, CARD);
      notDeepEqual(keys, await first.vault(NORTHERN).diversify('domain', 2, CARD));
      notDeepEqual(keys, await first.vault(SUNRISE).diversify('domain', 1, CARD));
      notDeepEqual(keys, await first.vault(NORTHERN).diversify('domain', 1, CARD.with(0, 9)));
      await first.vault(NORTHERN).ensureMaster('psk', 1);
      await first.vault(NORTHERN).ensureMaster('record', 1);
      const psk = await first.vault(NORTHERN).derive('psk', 1, 'meter', 16);
      const recordKey = await first.vault(NORTHERN).recordKey(1, 'meter');
      const publicKey = await first.vault(NORTHERN).signingPublicKey();
      const image = first.images.seal('image', CARD);
      first.close();
      const second = open(folder);
      const vault = second.vault(NORTHERN);
      deepEqual(await vault.diversify('domain', 1, CARD), keys);
      deepEqual(await vault.derive('psk', 1, 'meter', 16), psk);
      deepEqual(await vault.recordKey(1, 'meter'), recordKey);
      deepEqual(Buffer.from(await vault.signingPublicKey()), Buffer.from(publicKey));
      deepEqual(Buffer.from(second.images.open('image', image)), Buffer.from(CARD));
      second.close();
    });

    it('keeps nothing in the clear and its files to their owner', async (t) => {
      const folder = temporaryFolder(t);
      const custody = open(folder);
      await custody.vault(NORTHERN).ensureMaster('record', 1);
      const master = await custody.vault(NORTHERN).release('record', 1);
      const secret = new Uint8Array(32).fill(0x5e);
      await custody.vault(NORTHERN).keep('agreement m-1', secret);
      custody.close();
      for (const file of readdirSync(folder)) {
        const path = join(folder, file);
        equal(statSync(path).mode & 0o077, 0, file);
        ok(!readFileSync(path).includes(master) && !readFileSync(path).includes(secret));
      }
    });

    it('tells keys apart by fingerprints that say nothing about them', async (t) => {
      const vault = opened(t).vault(NORTHERN);
      const one = await vault.ensureMaster('domain', 1);
      const two = await vault.ensureMaster('domain', 2);
      match(one.fingerprint, /^[0-9a-f]{12}$/);
      notEqual(one.fingerprint, two.fingerprint);
      equal((await vault.ensureMaster('domain', 1)).fingerprint, one.fingerprint);
    });

    it('releases record masters and nothing else', async (t) => {
      const custody = opened(t);
      const vault = custody.vault(NORTHERN);
      const others: MasterPurpose[] = ['domain', 'issuer-domain', 'psk', 'receipt', 'agreement'];
      for (const purpose of others) {
        await vault.ensureMaster(purpose, 1);
        await rejects(vault.release(purpose, 1), { code: 'CUSTODY_RELEASE_FORBIDDEN' });
      }
      await rejects(vault.release('record', 7), { code: 'CUSTODY_KEY_NOT_FOUND' });
      throws(() => custody.vault(partyId('nobody')), { code: 'PROVISIONING_STAKEHOLDER_NOT_FOUND' });
    });

    it('derives only from keys that are made for it, and at most 32 bytes', async (t) => {
      const vault = opened(t).vault(NORTHERN);
      await vault.ensureMaster('domain', 1);
      await vault.ensureMaster('psk', 1);
      await rejects(vault.derive('domain', 1, 'x', 16), { code: 'CUSTODY_USE_FORBIDDEN' });
      await rejects(vault.derive('psk', 1, 'x', 33), { code: 'CUSTODY_USE_FORBIDDEN' });
      notDeepEqual(await vault.derive('psk', 1, 'x', 16), await vault.derive('psk', 1, 'y', 16));
    });

    it('takes keys along their life and remembers it; a destroyed key is gone', async (t) => {
      const folder = temporaryFolder(t);
      let custody = open(folder);
      let vault = custody.vault(NORTHERN);
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
      custody.close();
      custody = open(folder);
      t.after(() => custody.close());
      vault = custody.vault(NORTHERN);
      await rejects(vault.diversify('domain', 1, CARD), { code: 'CUSTODY_KEY_STATE_PRECONDITION' });
      deepEqual(
        (await vault.history('domain', 1)).map(({ to }) => to),
        ['initialised', 'active', 'suspended', 'active', 'revoked', 'destroyed'],
      );
      await rejects(vault.history('domain', 9), { code: 'CUSTODY_KEY_NOT_FOUND' });
    });

    it('lets a signing key be suspended too', async (t) => {
      const vault = opened(t).vault(NORTHERN);
      await vault.sign(CARD);
      await vault.changeState('signing', 1, 'suspend', 'lost laptop');
      await rejects(vault.sign(CARD), { code: 'CUSTODY_KEY_STATE_PRECONDITION' });
    });

    it('says when a key has to be replaced', async (t) => {
      const custody = open(temporaryFolder(t), DAY_MS);
      t.after(() => custody.close());
      const { createdAt, expiresAt } = await custody.vault(NORTHERN).ensureMaster('domain', 1);
      equal(expiresAt, createdAt + DAY_MS);
      deepEqual(await custody.vault(NORTHERN).keys(), [
        await custody.vault(NORTHERN).ensureMaster('domain', 1),
      ]);
    });

    it('signs and certifies with a key that stays', async (t) => {
      const vault = opened(t).vault(NORTHERN);
      const data = Buffer.from('statement');
      const signature = await vault.sign(data);
      const spki = Buffer.from(await vault.signingPublicKey());
      const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
      ok(verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature));
      const point = spki.subarray(-65);
      const fields = { serialNumber: CARD, authority: CARD, subject: CARD, usage: 0x82 };
      const certificate = await vault.certify({ ...fields, expiration: '20491231', publicKey: point });
      deepEqual(Buffer.from(verifyCertificate(certificate, point).publicKey), point);
    });

    it('keeps secrets, and forgets what it is told to forget', async (t) => {
      const vault = opened(t).vault(NORTHERN);
      await vault.keep('a', CARD);
      await vault.keep('a', CARD.with(0, 1));
      deepEqual(Buffer.from((await vault.recall('a')) ?? []), Buffer.from(CARD.with(0, 1)));
      await vault.forget('a');
      equal(await vault.recall('a'), undefined);
    });

    it('shows secrets that share a commit as they were left, whoever asks in between', async (t) => {
      const vault = opened(t).vault(NORTHERN);
      const changes = [vault.keep('a', CARD), vault.keep('b', CARD), vault.keep('a', CARD.with(0, 1))];
      deepEqual(Buffer.from((await vault.recall('a')) ?? []), Buffer.from(CARD.with(0, 1)));
      changes.push(vault.forget('b'), vault.keep('c', CARD), vault.forget('c'));
      await Promise.all(changes);
      equal(await vault.recall('b'), undefined);
      equal(await vault.recall('c'), undefined);
    });

    it('opens no seal under another name, or changed at any byte', (t) => {
      const { images } = opened(t);
      const sealed = images.seal('image 1', Buffer.from('secret'));
      equal(Buffer.from(images.open('image 1', sealed)).toString(), 'secret');
      throws(() => images.open('image 2', sealed), { code: 'CUSTODY_SEAL_BROKEN' });
      for (let i = 0; i < sealed.length; i++) {
        const broken = { code: 'CUSTODY_SEAL_BROKEN' };
        throws(() => images.open('image 1', sealed.with(i, (sealed[i] ?? 0) ^ 1)), broken);
        throws(() => images.open('image 1', sealed.subarray(0, i)), broken);
      }
    });

    it('seals a card image of the usual size', (t) => {
      const { images } = opened(t);
      const image = new Uint8Array(40_000).map((_, i) => i);
      deepEqual(Buffer.from(images.open('big', images.seal('big', image))), Buffer.from(image));
    });
  });
}
