import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  deleteCommand,
  encodeApdu,
  encodeFileControlInformation,
  gpCommand,
  INS,
  installCommand,
  PRIVILEGE,
  type CommandApdu,
} from '@sefleet/globalplatform';
import { describeExchange, formatExchange, type ExchangeInWords } from './describe-exchange.ts';

function describe(command: string, response: string): ExchangeInWords {
  return describeExchange({ command: fromHex(command), response: fromHex(response) });
}

function meaning(command: string, response: string): string {
  return describe(command, response).responseMeaning.join('\n');
}

test('a SELECT and its file control information are told', () => {
  const information = encodeFileControlInformation({
    aid: fromHex('A000000151000000'),
    managementData: fromHex(
      '06072A864886FC6B01600C060A2A864886FC6B02020301630906072A864886FC6B03640B06092A864886FC6B040370',
    ),
    maxCommandData: 255,
  });
  const words = describe('00A4040008A000000151000000', `${toHex(information)}9000`);
  assert.equal(words.command, 'SELECT P1P2=0400 data=A000000151000000');
  assert.deepEqual(words.commandMeaning, ['A000000151000000']);
  assert.deepEqual(words.responseMeaning, [
    'application A000000151000000',
    'GlobalPlatform 2.3.1',
    'card identification scheme: issuer and card image number',
    'SCP03, i = 70',
    'longest command data 255 bytes',
  ]);
  assert.match(
    formatExchange(words),
    /^> 00A404.*\n {2}SELECT .*\n {4}A0.*\n< .*9000 success\n {4}application/u,
  );
});

// kaoh/globalplatform, getDataTest.c and scp03Test.c.
test('card recognition data, capabilities, production data and resources of cards in the field are told', () => {
  assert.equal(
    meaning(
      '80CA006600',
      '663F733D06072A864886FC6B01600C060A2A864886FC6B02020301630906072A864886FC6B03640B06092A864886FC6B040360640C060A2A864886FC6B04119B069000',
    ),
    [
      'GlobalPlatform 2.3.1',
      'card identification scheme: issuer and card image number',
      'SCP03, i = 60',
      'SCP11, i = 9B06',
    ].join('\n'),
  );
  const capabilities = meaning(
    '80CA006700',
    '6724A0098001028104153555758103E5BEC082031E030083010284010285017B86010C87017B9000',
  );
  assert.match(capabilities, /^SCP02, i = 15, 35, 55, 75\n/u);
  assert.match(capabilities, /\nprivileges of applications: card lock, .*final application, global service/u);
  const production = meaning(
    '80CA9F7F00',
    '9F7F2A4790D60047000000000032443429522084480000000000000000152782343239353200000000000000009000',
  );
  assert.match(production, /^IC fabricator 4790\nIC type D600\n/u);
  assert.match(production, /\nIC serial number 34295220\n/u);
  assert.equal(
    meaning('80CAFF2100', 'FF211081020002820400016DB483040000086A9000'),
    'applications 2\nfree non-volatile memory 93620 bytes\nfree volatile memory 2154 bytes',
  );
});

// GlobalPlatformPro, TestGPKeyInfo and TestParseTags.
test('key information and registry entries are told', () => {
  assert.equal(
    meaning('80CA00E000', 'E020C00401018820C00402018820C00403018820C0060170A180A003C004017180109000'),
    [
      'key version 01, identifier 01: AES-256',
      'key version 01, identifier 02: AES-256',
      'key version 01, identifier 03: AES-256',
      'key version 70, identifier 01: RSA-1024 public',
      'key version 71, identifier 01: DES',
    ].join('\n'),
  );
  const entries = meaning(
    '80F28002024F0000',
    'E3464F08A0000000030000009F700101C5039EFE80CF0140CF0141CF0142CF0143CF0180CF0181CF0182CF0183C40BD276000005AAFFCAFE0001CE020001CC08A0000000030000009000',
  );
  assert.match(entries, /^A000000003000000 OP_READY, security domain, /u);
  assert.match(entries, /of load file D276000005AAFFCAFE0001, version 0001, in A000000003000000$/u);
});

// pySim, test_globalplatform.py.
test('the answer to INITIALIZE UPDATE is told, and what a session enciphers is not guessed at', () => {
  assert.equal(
    meaning(
      '8050300008b13e5f938fc108c400',
      '000000000000000000003003703eb51047495b249f66c484c1d2ef19480000029000',
    ),
    [
      'key diversification data 00000000000000000000',
      'key version 30, SCP03, i = 70',
      'card challenge 3EB51047495B249F, cryptogram 66C484C1D2EF1948',
      'sequence counter 2',
    ].join('\n'),
  );
  const secured = describe(
    '84e29100188f7f946c84f70d17994bc6e8791251bb1bb1bf02cf8de58900',
    'c05176c1b6f72aae50c32cbee63b0e95998928fd4dfb2be9f27ffde8c8476f5909b4805cc40395999000',
  );
  assert.deepEqual(secured.commandMeaning, ['block 0, the last, BER-TLV']);
  assert.deepEqual(secured.responseMeaning, []);
  assert.deepEqual(describe('84823300108c36f96bcc00724a4e13ad591d7da3f0', '9000').commandMeaning, [
    'level C-MAC C-DECRYPTION R-MAC R-ENCRYPTION',
  ]);
});

test('INSTALL, PUT KEY and DELETE in the clear are told', () => {
  const told = (command: CommandApdu, response: string): ExchangeInWords =>
    describeExchange({ command: encodeApdu(command), response: fromHex(response) });
  const install = told(
    installCommand({
      loadFile: fromHex('A0000001515350'),
      module: fromHex('A000000151535041'),
      instance: fromHex('D4D4D4D4D4010101'),
      privileges: PRIVILEGE.SECURITY_DOMAIN,
      parameters: fromHex('C900'),
    }),
    '009000',
  );
  assert.deepEqual(install.commandMeaning, [
    'for install and make selectable',
    'D4D4D4D4D4010101 of A000000151535041 in A0000001515350, security domain',
  ]);
  assert.deepEqual(install.responseMeaning, ['no receipt']);
  const gone = told(deleteCommand(fromHex('D0D1D2D3D4D501'), { related: true }), '009000');
  assert.deepEqual(gone.commandMeaning, ['D0D1D2D3D4D501 and what depends on it']);
  const put = told(
    gpCommand(INS.PUT_KEY, 0, 1, fromHex(`01881110${'00'.repeat(16)}03C35280`)),
    '01C352809000',
  );
  assert.deepEqual(put.commandMeaning, ['add, key identifier 1, version 01', 'AES-128, check value C35280']);
  assert.deepEqual(put.responseMeaning, ['key version 01, check values C35280']);
});

test('unknown data objects are shown as a tree, and nonsense as bytes', () => {
  assert.deepEqual(describe('00CB000000', '61064F0401020304500141' + '9000').responseMeaning, [
    '61',
    '  4F 01020304',
    '50 41',
  ]);
  assert.deepEqual(describe('00CB000000', 'FFFFFF9000').responseMeaning, []);
  assert.deepEqual(describe('80CA006600', '66029000').responseMeaning, []);
  assert.equal(describe('00', '6700').command, 'no command APDU');
});

test('what a trace leaves out is said, and nothing is guessed about the rest', () => {
  const words = describeExchange({
    command: fromHex('80E29000'),
    response: fromHex('9000'),
    hiddenCommandBytes: 32,
    hiddenResponseBytes: 0,
  });
  assert.equal(words.command, 'STORE DATA P1P2=9000 (32 secret bytes not shown)');
  assert.deepEqual(words.commandMeaning, []);
});
