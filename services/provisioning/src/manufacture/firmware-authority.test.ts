import { deepEqual, equal, throws } from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { loadFirmwareAuthority } from './firmware-authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-firmware-'));
after(() => rmSync(folder, { recursive: true }));

it('makes a key pair once, for its owner only', () => {
  const point = loadFirmwareAuthority('', folder);
  equal(point.length, 65);
  equal(point[0], 4);
  deepEqual(loadFirmwareAuthority('', folder), point);
  const path = join(folder, 'firmware.key');
  equal(statSync(path).mode & 0o777, 0o600);
  const spki = createPublicKey(readFileSync(path)).export({ format: 'der', type: 'spki' });
  deepEqual(Uint8Array.from(spki.subarray(-65)), point);
});

it('takes the public key of an authority elsewhere, on P-256 only', () => {
  const write = (curve: string): string => {
    const path = join(folder, `${curve}.pem`);
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
    writeFileSync(path, publicKey.export({ format: 'pem', type: 'spki' }));
    return path;
  };
  equal(loadFirmwareAuthority(write('prime256v1'), folder).length, 65);
  const invalid = { code: 'PROVISIONING_FIRMWARE_KEY_INVALID' };
  throws(() => loadFirmwareAuthority(write('secp384r1'), folder), invalid);
  throws(() => loadFirmwareAuthority(join(folder, 'none'), folder), invalid);
});
