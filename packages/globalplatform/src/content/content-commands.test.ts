import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { aesCbcEncrypt, ZERO_BLOCK } from '../crypto/aes.ts';
import { aesKeyCheckValue } from '../crypto/key-check-value.ts';
import { attachToken, tokenInput } from '../delegation/tokens.ts';
import { deleteCommand } from './delete.ts';
import { decodeKeyInformation, encodeKeyInformation } from './get-data.ts';
import { decodeStatus, encodeStatusEntry } from './get-status.ts';
import {
  decodeInstallForInstall,
  decodeSecurityDomainParameters,
  encodeInstallForInstall,
  encodeInstallForLoad,
  installForExtraditionCommand,
  installForLoadCommand,
} from './install.ts';
import { decodePrivileges, encodePrivileges, PRIVILEGE, privilegeNames } from './privileges.ts';
import { decodePutKey, putKeysCommand, splitSymmetricValue } from './put-key.ts';
import { encodeKeyGroupings } from './store-data.ts';

const KEYS = {
  enc: fromHex('404142434445464748494A4B4C4D4E4F'),
  mac: fromHex('505152535455565758595A5B5C5D5E5F'),
  dek: fromHex('606162636465666768696A6B6C6D6E6F'),
};
const sessionWith = (dek: string) => ({
  encryptSensitive: (blocks: Uint8Array) => aesCbcEncrypt(fromHex(dek), ZERO_BLOCK, blocks),
});
const SESSION = sessionWith('000102030405060708090A0B0C0D0E0F');

test('key check values of AES keys are over sixteen bytes 01', () => {
  assert.equal(toHex(aesKeyCheckValue(fromHex('000102030405060708090a0b0c0d0e0f'))), 'c35280');
  assert.equal(toHex(aesKeyCheckValue(fromHex('101112131415161718191a1b1c1d1e1f'))), '013808');
  assert.equal(toHex(aesKeyCheckValue(fromHex('202122232425262728292a2b2c2d2e2f'))), '840de5');
});

test('INSTALL [for load] has the bytes that kaoh’s tools send', () => {
  const data = encodeInstallForLoad({
    loadFile: fromHex('D0D1D2D3D4D501'),
    securityDomain: fromHex('A000000151000000'),
    parameters: fromHex('EF08C6020160C80207D0'),
  });
  assert.equal(toHex(data), '07d0d1d2d3d4d50108a000000151000000000aef08c6020160c80207d000');
});

test('INSTALL [for install] of a Security Domain is read as kaoh’s tools send it, with one byte of privileges', () => {
  const data = fromHex(
    '07a000000151535008a00000015153504108d4d4d4d4d401010101800dc90b820220208301208702202000',
  );
  const install = decodeInstallForInstall(data);
  assert.equal(decodePrivileges(install.privileges), PRIVILEGE.SECURITY_DOMAIN);
  assert.deepEqual(encodeInstallForInstall(install), data);
  const parameters = decodeSecurityDomainParameters(install.parameters);
  assert.equal(toHex(parameters.acceptExtraditionHere ?? fromHex('')), '2020');
  assert.equal(toHex(parameters.acceptDeletion ?? fromHex('')), '20');
});

test('tokens cover P1, P2, length and data up to the token field', () => {
  const hash = fromHex('00'.repeat(32));
  const load = installForLoadCommand({
    loadFile: fromHex('D0D1D2D3D4D501'),
    securityDomain: fromHex('020202020202'),
    hash,
  });
  assert.equal(toHex(tokenInput(load)), `02003107d0d1d2d3d4d5010602020202020220${'00'.repeat(32)}00`);
  const move = installForExtraditionCommand(fromHex('D4D4D4D4D4010101'), fromHex('D0D1D2D3D4D50101'));
  assert.equal(toHex(tokenInput(move)), '10001508d4d4d4d4d40101010008d0d1d2d3d4d501010000');
  const gone = deleteCommand(fromHex('D0D1D2D3D4D501'), { related: true });
  const two = { ...gone, data: fromHex('4F07D0D1D2D3D4D5014F08D0D1D2D3D4D50101') };
  assert.equal(toHex(tokenInput(two)), '0080134f07d0d1d2d3d4d5014f08d0d1d2d3d4d50101');
  assert.equal(toHex(attachToken(gone, fromHex('aabb')).data), '4f07d0d1d2d3d4d5019e02aabb');
});

test('STORE DATA of keys has the published groupings', () => {
  assert.equal(
    toHex(encodeKeyGroupings(SESSION, [KEYS.enc, KEYS.mac, KEYS.dek], { keyVersion: 1 })).toUpperCase(),
    '00B930B71080018881011083010196010197020003B9088201018403504A77B9088201028403F2A8DFB9088201038403D7D0E4811310D533E59B45A153ED7E5E9C5DFCFD4AAA8113103EF0B1A5E3059DAB21FCE23A7B61C4CA811310ADDE68F7AD497268D31A0DDD5C74B08F',
  );
  const long = '000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F';
  assert.equal(
    toHex(encodeKeyGroupings(sessionWith(long), [fromHex(long)], { keyVersion: 2, access: 0 })).toUpperCase(),
    '00B91CB71080018881012083010296010097020003B908820101840375E2088113205A6E045708FB7196F02E553D02C3A692C77147EBD5121DE8D0FAE7762423B6BF',
  );
  const dap = fromHex('AABBCCDDEEFF00112233445566778899');
  assert.equal(
    toHex(encodeKeyGroupings(SESSION, [dap], { keyVersion: 1, usage: 0x7003 })).toUpperCase(),
    '00B91CB71080018881011083010196010097027003B908820101840361DDC3811310A0CCF098A39DD26541068A6E945F2938'.replace(
      '960100',
      '960101',
    ),
  );
});

for (const encoding of ['length-inside', 'bare'] as const) {
  test(`PUT KEY with the length ${encoding} is read back`, () => {
    const command = putKeysCommand(SESSION, KEYS, { newVersion: 1, encoding });
    const put = decodePutKey(command);
    assert.equal(put.keys.length, 3);
    for (const key of put.keys) {
      assert.equal(splitSymmetricValue(key.components[0]?.value ?? fromHex(''))?.keyLength, 16);
      assert.equal(key.checkValue.length, 3);
    }
  });
}

test('PUT KEY of AES-192 keys carries the length 18 and whole blocks', () => {
  const key = fromHex('00'.repeat(24));
  const [block] = decodePutKey(
    putKeysCommand(SESSION, { enc: key, mac: key, dek: key }, { newVersion: 1 }),
  ).keys;
  const value = block?.components[0]?.value ?? fromHex('');
  assert.equal(value.length, 33);
  assert.equal(splitSymmetricValue(value)?.keyLength, 24);
});

test('key information templates are read and written', () => {
  const data = fromHex('E020C00401018820C00402018820C00403018820C0060170A180A003C00401718010');
  const keys = decodeKeyInformation(data);
  assert.deepEqual(keys.at(-2), {
    keyId: 1,
    keyVersion: 0x70,
    components: [
      { type: 0xa1, length: 0x80 },
      { type: 0xa0, length: 3 },
    ],
  });
  assert.deepEqual(encodeKeyInformation(keys), data);
});

test('GET STATUS responses of real cards are read', () => {
  const data = fromHex(
    'E33A4F10A0000005591010FFFFFFFF89000002009F70010FC50382FC80C40BD276000005AAFFCAFE0001CC10A0000005591010FFFFFFFF8900000200' +
      'E3304F08D276000005AA3F019F700107C50104C40BD276000005AAFFCAFE0002CC10A0000005591010FFFFFFFF8900000200',
  );
  const entries = decodeStatus(data);
  assert.equal(entries[0]?.aid, 'a0000005591010ffffffff8900000200');
  assert.equal(entries[0]?.lifeCycle, 0x0f);
  assert.deepEqual(privilegeNames(entries[0]?.privileges ?? 0).slice(0, 2), [
    'SECURITY_DOMAIN',
    'CVM_MANAGEMENT',
  ]);
  assert.equal(entries[1]?.privileges, PRIVILEGE.CARD_RESET);
  const [first] = entries;
  assert.ok(first);
  assert.deepEqual(encodeStatusEntry(first), data.subarray(0, 60));
});

test('privileges are read in one and in three bytes, and refused with reserved bits', () => {
  assert.equal(decodePrivileges(fromHex('80')), PRIVILEGE.SECURITY_DOMAIN);
  assert.equal(toHex(encodePrivileges(decodePrivileges(fromHex('9efe80')) ?? 0)), '9efe80');
  assert.equal(decodePrivileges(fromHex('800001')), undefined);
  assert.equal(decodePrivileges(fromHex('8000')), undefined);
});
