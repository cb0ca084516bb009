import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { partyId } from '../../domain/party.ts';
import { createSoftTokenStore, SKIP_WITHOUT_SOFT_TOKEN } from '../../testing/soft-token.ts';
import { CKA, CKO } from './cryptoki-constants.ts';
import { loadCryptoki } from './cryptoki.ts';
import { PinFile } from './pin-file.ts';
import { createPkcs11Custody } from './pkcs11-custody.ts';
import { TokenEngine } from './token-engine.ts';
import { findSlot, Pkcs11Token } from './token.ts';

const NORTHERN = partyId('northern-power');
const SUNRISE = partyId('sunrise-energy');
const CARD = new Uint8Array(10).fill(3);
const { clock } = createNodeRuntime();
const store = createSoftTokenStore();
const module = store.environment.SEFLEET_PKCS11_MODULE;
process.env['SOFTHSM2_CONF'] = store.environment.SOFTHSM2_CONF;
after(() => store.remove());

/** A custody of its own, and the party's token by the side door: its label and PIN. */
function open(t: TestContext) {
  const folder = mkdtempSync(join(store.folder, 'custody-'));
  const pinFile = join(folder, 'pins');
  const custody = createPkcs11Custody({ folder, clock, module, pinFile });
  t.after(() => {
    custody.close();
    rmSync(folder, { recursive: true });
  });
  const side = (party: string) => {
    const pins = new PinFile(pinFile);
    const cryptoki = loadCryptoki(module);
    const slot = findSlot(cryptoki, pins.labelOf(party)) ?? 0n;
    const { pin } = pins.pinOf(party);
    t.after(() => cryptoki.close());
    return { pin, slot, label: pins.labelOf(party), cryptoki };
  };
  return { custody, folder, pinFile, side };
}

describe('PKCS#11 custody', { skip: SKIP_WITHOUT_SOFT_TOKEN }, () => {
  it('gives each party a token and a PIN of its own', async (t) => {
    const { custody, pinFile, side } = open(t);
    await custody.vault(NORTHERN).ensureMaster('domain', 1);
    await custody.vault(SUNRISE).ensureMaster('domain', 1);
    const [northern, sunrise] = [side(NORTHERN), side(SUNRISE)];
    ok(northern.slot !== sunrise.slot && northern.pin !== sunrise.pin);
    equal(statSync(pinFile).mode & 0o077, 0);
  });

  it('makes keys that the token does not give out, not even for the PIN', async (t) => {
    const { custody, side } = open(t);
    const vault = custody.vault(NORTHERN);
    await vault.ensureMaster('domain', 1);
    await vault.ensureMaster('psk', 1);
    await vault.sign(CARD);
    const { cryptoki, slot, pin } = side(NORTHERN);
    const token = Pkcs11Token.open(cryptoki, slot, pin);
    for (const [objectClass, name] of [
      [CKO.SECRET_KEY, 'domain key 1'],
      [CKO.SECRET_KEY, 'psk key 1'],
      [CKO.PRIVATE_KEY, 'signing key 1'],
    ] as const) {
      const key = token.find(objectClass, name);
      ok(key !== undefined, name);
      throws(() => token.attribute(key, CKA.VALUE), { code: 'CUSTODY_TOKEN_REFUSED' });
      deepEqual([...token.attribute(key, CKA.SENSITIVE)], [1]);
      deepEqual([...token.attribute(key, CKA.EXTRACTABLE)], [0]);
    }
    token.close();
  });

  it('shows its keys to an independent program as never extractable', async (t) => {
    if (spawnSync('pkcs11-tool', ['--help']).error !== undefined)
      return t.skip('pkcs11-tool is not installed');
    const { custody, side } = open(t);
    await custody.vault(NORTHERN).ensureMaster('domain', 1);
    await custody.vault(NORTHERN).sign(CARD);
    const { pin, label } = side(NORTHERN);
    const asked = ['--module', module, '--token-label', label, '--login', '--pin', pin, '--list-objects'];
    const { stdout, status, stderr } = spawnSync('pkcs11-tool', asked, { encoding: 'utf8' });
    equal(status, 0, stderr);
    const secret = stdout.split(/^(?=\w+ Key Object)/m).find((object) => object.includes('domain key 1'));
    match(secret ?? '', /AES length 16/);
    match(secret ?? '', /sensitive, always sensitive, never extractable, local/);
    match(stdout, /Private Key Object; EC[^]*signing key 1[^]*never extractable/);
  });

  it('destroys the object in the token', async (t) => {
    const { custody, side } = open(t);
    const vault = custody.vault(NORTHERN);
    await vault.ensureMaster('domain', 1);
    await vault.changeState('domain', 1, 'revoke', 'test');
    await vault.changeState('domain', 1, 'destroy', 'test');
    const { cryptoki, slot, pin } = side(NORTHERN);
    const token = Pkcs11Token.open(cryptoki, slot, pin);
    equal(token.find(CKO.SECRET_KEY, 'domain key 1'), undefined);
    token.close();
  });

  it('takes up the key that a killed process made without writing it down', async (t) => {
    const { custody, side } = open(t);
    custody.vault(NORTHERN);
    const { cryptoki, slot, pin } = side(NORTHERN);
    const killed = new TokenEngine(() => Pkcs11Token.open(cryptoki, slot, pin));
    killed.create('domain key 1', 'aes-cmac');
    const made = killed.cmac({ name: 'domain key 1', use: 'aes-cmac', sealed: undefined }, CARD);
    await custody.vault(NORTHERN).ensureMaster('domain', 1);
    await custody.vault(NORTHERN).diversify('domain', 1, CARD);
    const held = { name: 'domain key 1', use: 'aes-cmac', sealed: undefined } as const;
    deepEqual(killed.cmac(held, CARD), made);
    killed.close();
  });

  it('logs in again when its session has gone', async (t) => {
    const { custody, side } = open(t);
    const vault = custody.vault(NORTHERN);
    await vault.ensureMaster('domain', 1);
    const keys = await vault.diversify('domain', 1, CARD);
    const { cryptoki } = side(NORTHERN);
    // As when another program resets the token: every session of this process ends.
    cryptoki.calls.C_Finalize(0n);
    cryptoki.calls.C_Initialize(0n);
    deepEqual(await vault.diversify('domain', 1, CARD), keys);
  });

  it('refuses a wrong PIN once, and does not try again until the token locks', async (t) => {
    const { custody, folder, pinFile } = open(t);
    custody.vault(NORTHERN);
    custody.close();
    const wrong = readFileSync(pinFile, 'utf8').replace(/^northern-power .*$/m, 'northern-power 000000');
    const other = join(folder, 'other-pins');
    writeFileSync(other, wrong, { mode: 0o600 });
    const next = createPkcs11Custody({ folder, clock, module, pinFile: other });
    t.after(() => next.close());
    throws(() => next.vault(NORTHERN), { code: 'CUSTODY_PIN_REFUSED' });
  });

  it('says which token is missing when the PIN file is not its own', (t) => {
    const { folder } = open(t);
    const pinFile = join(folder, 'mine');
    writeFileSync(pinFile, '# mine\nnorthern-power 123456\n', { mode: 0o600 });
    const custody = createPkcs11Custody({ folder, clock, module, pinFile });
    t.after(() => custody.close());
    throws(() => custody.vault(NORTHERN), { code: 'CUSTODY_TOKEN_UNAVAILABLE' });
    throws(() => custody.vault(SUNRISE), { code: 'CUSTODY_PIN_FILE_INVALID' });
  });

  it('says so when what should hold the keys has been taken away', async (t) => {
    const { custody, folder, side } = open(t);
    await custody.vault(NORTHERN).ensureMaster('domain', 1);
    const { cryptoki, slot, pin } = side(NORTHERN);
    const token = Pkcs11Token.open(cryptoki, slot, pin);
    token.destroy(token.find(CKO.SECRET_KEY, 'domain key 1') ?? 0n);
    token.close();
    ok(existsSync(folder));
    await rejects(
      custody.vault(NORTHERN).diversify('domain', 1, CARD),
      ({ code }: { code: string }) => code === 'CUSTODY_KEY_NOT_FOUND' || code === 'CUSTODY_TOKEN_REFUSED',
    );
  });
});

describe('a PKCS#11 module', () => {
  it('that is not there, or is something else, is refused by name', () => {
    for (const path of ['/nowhere/libtoken.so', import.meta.filename]) {
      throws(() => loadCryptoki(path), { code: 'CUSTODY_TOKEN_UNAVAILABLE', message: new RegExp(path) });
    }
  });
});

describe('the PIN file', () => {
  it('that others can read, or that has a line of another form, is refused', () => {
    const path = join(store.folder, 'bad-pins');
    writeFileSync(path, 'northern-power 123456\n', { mode: 0o600 });
    equal(new PinFile(path).pinOf('northern-power').pin, '123456');
    chmodSync(path, 0o644);
    throws(() => new PinFile(path), { code: 'CUSTODY_PIN_FILE_INVALID' });
    chmodSync(path, 0o600);
    for (const text of ['northern-power', 'northern-power 12', 'a 1234\na 1234', 'a 1234 5678']) {
      writeFileSync(path, text);
      throws(() => new PinFile(path), { code: 'CUSTODY_PIN_FILE_INVALID' }, text);
    }
  });
});
