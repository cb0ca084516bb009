import { deepEqual, equal, rejects } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createRootAuthority, issueCertificate } from './authority.ts';
import { createRevocationList, normalSerialNumber, readRevocationList } from './revocation-list.ts';

const [FROM, UNTIL] = [new Date('2026-01-01T00:00:00Z'), new Date('2036-01-01T00:00:00Z')];
const authority = await createRootAuthority('test', FROM, UNTIL);
const dates = { thisUpdate: FROM, nextUpdate: UNTIL };
const INVALID = { code: 'PKI_REVOCATION_LIST_INVALID', fault: 'peer' };

describe('a revocation list', () => {
  it('says which certificates do not count any more', async () => {
    const revoked = ['00a1', 'FF00', '4cafe0'].map((serialNumber) => ({ serialNumber, revokedAt: FROM }));
    const list = await createRevocationList(authority, { number: 300, ...dates, revoked });
    const read = await readRevocationList(list, authority.certificatePem);
    deepEqual(read.serialNumbers, new Set(['a1', 'ff00', '4cafe0']));
    deepEqual([read.thisUpdate, read.nextUpdate], [FROM, UNTIL]);
    equal(normalSerialNumber('000'), '0');
  });

  it('can be empty', async () => {
    const list = await createRevocationList(authority, { number: 0, ...dates, revoked: [] });
    equal((await readRevocationList(list, authority.certificatePem)).serialNumbers.size, 0);
  });

  it('of another authority, changed at any byte, cut short, or random, is refused', async () => {
    const revoked = [{ serialNumber: '01', revokedAt: FROM }];
    const list = await createRevocationList(authority, { number: 1, ...dates, revoked });
    const other = await createRootAuthority('test', FROM, UNTIL);
    await rejects(readRevocationList(list, other.certificatePem), INVALID);
    for (let at = 0; at < list.length; at += 3) {
      const changed = list.with(at, (list[at] ?? 0) ^ 1);
      await rejects(readRevocationList(changed, authority.certificatePem), INVALID, `byte ${at}`);
      await rejects(readRevocationList(list.subarray(0, at), authority.certificatePem), INVALID);
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), (bytes) =>
        rejects(readRevocationList(bytes, authority.certificatePem), INVALID),
      ),
      { numRuns: 50 },
    );
  });

  it('is understood by OpenSSL, which then refuses the certificate', async (t) => {
    if (spawnSync('openssl', ['version']).error !== undefined) return t.skip('openssl is not installed');
    const folder = mkdtempSync(join(tmpdir(), 'crl-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const validity = { notBefore: FROM, notAfter: UNTIL };
    const good = await issueCertificate(authority, { commonName: 'good', ...validity });
    const bad = await issueCertificate(authority, { commonName: 'bad', ...validity });
    const { serialNumber } = new X509Certificate(bad.certificatePem);
    const revoked = [{ serialNumber, revokedAt: FROM }];
    const list = await createRevocationList(authority, { number: 200, ...dates, revoked });
    const file = (name: string, text: string | Uint8Array): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const der = file('list.der', list);
    const pem = join(folder, 'list.pem');
    const text = spawnSync('openssl', ['crl', '-inform', 'DER', '-in', der, '-text', '-out', pem]);
    equal(text.status, 0, text.stderr.toString());
    const ca = file('ca.pem', authority.certificatePem);
    const verify = (certificate: string) =>
      spawnSync('openssl', ['verify', '-crl_check', '-CAfile', ca, '-CRLfile', pem, certificate], {
        encoding: 'utf8',
      });
    equal(verify(file('good.pem', good.certificatePem)).status, 0);
    const refused = verify(file('bad.pem', bad.certificatePem));
    equal(refused.status, 2);
    equal(/certificate revoked/.test(refused.stdout + refused.stderr), true, refused.stderr);
  });
});
