import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import { decodeFirmwareImage } from '@sefleet/lwm2m';
import { parseCommandLine } from '../command-line.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { firmwareSign } from './firmware-sign.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-sign-'));
after(() => rmSync(folder, { recursive: true }));
const authority = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const [payload, key, out] = ['app.bin', 'authority.key', 'app.fw'].map((name) => join(folder, name));
assert.ok(payload !== undefined && key !== undefined && out !== undefined);
writeFileSync(payload, 'the new firmware');
writeFileSync(key, authority.privateKey.export({ format: 'pem', type: 'pkcs8' }));
const GOOD = ['--kind', 'obu', '--number', '3', '--version', '3.0.1', '--key', key, '--out', out];

async function signing(args: readonly string[]): Promise<number> {
  return firmwareSign.run(parseCommandLine([firmwareSign], ['firmware', 'sign', ...args]).parsed);
}

test('the image says what was asked for and bears the signature of the key', async () => {
  assert.equal(await signing([payload, ...GOOD]), EXIT_CODES.passed);
  const { manifest, signed, signature, payload: inside } = decodeFirmwareImage(readFileSync(out));
  assert.equal(Buffer.from(inside).toString(), 'the new firmware');
  assert.equal(`${manifest.kind} ${manifest.versionNumber} ${manifest.version}`, 'obu 3 3.0.1');
  assert.deepEqual(Buffer.from(manifest.payloadHash), createHash('sha256').update(inside).digest());
  const publicKey = { key: authority.publicKey, dsaEncoding: 'ieee-p1363' } as const;
  assert.ok(verify('sha256', signed, publicKey, signature));
});

test('refuses another kind, number, key or file, naming what is wrong', async () => {
  const refused = (error: unknown): boolean => isSefleetError(error, 'CLI_USAGE');
  await assert.rejects(signing(GOOD), refused);
  await assert.rejects(signing([join(folder, 'none'), ...GOOD]), refused);
  await assert.rejects(signing([payload, ...GOOD.slice(2)]), refused);
  for (const [from, to] of [
    ['obu', 'toaster'],
    ['3', '0'],
    ['3.0.1', ''],
    [key, payload],
  ]) {
    const changed = GOOD.map((text) => (text === from ? (to ?? '') : text));
    await assert.rejects(signing([payload, ...changed]), isSefleetError);
  }
});
