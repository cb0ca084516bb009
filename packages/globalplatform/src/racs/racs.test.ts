import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { executeRacsApdu } from './racs-apdu.ts';
import {
  decodeRacsResponse,
  encodeRacsRequest,
  encodeRacsResponse,
  parseRacsLine,
  RacsReader,
} from './racs-codec.ts';
import type { RacsApdu, RacsStatus } from './racs-protocol.ts';

test('the request of the reference example is read line by line, however it is cut', () => {
  const request = encodeRacsRequest('MyLabel', [
    { command: { name: 'GET-VERSION' }, append: true },
    { command: { name: 'LIST' }, append: true },
    { command: { name: 'POWERON', seid: 'MySEID' }, append: true },
    { command: { name: 'RESET', seid: 'MySEID', warm: false } },
    { command: { name: 'APDU', seid: 'MySEID', apdu: fromHex('00A40400') } },
  ]);
  assert.equal(
    Buffer.from(request).toString(),
    'BEGIN MyLabel\r\nGET-VERSION APPEND\r\nLIST APPEND\r\nPOWERON MySEID APPEND\r\nRESET MySEID\r\nAPDU MySEID 00A40400\r\nEND\r\n',
  );
  const reader = new RacsReader();
  const names: string[] = [];
  for (const byte of request) {
    for (const parsed of reader.push(Uint8Array.of(byte))) {
      assert.equal(parsed.kind, 'command');
      if (parsed.kind === 'command')
        names.push(`${parsed.line.line} ${parsed.line.command.name} ${parsed.line.append}`);
    }
  }
  assert.deepEqual(names, [
    '0 BEGIN false',
    '1 GET-VERSION true',
    '2 LIST true',
    '3 POWERON true',
    '4 RESET false',
    '5 APDU false',
    '6 END false',
  ]);
});

test('the answer of the reference example is written and read', () => {
  const status = (commandCode: number, line: number, text: string): RacsStatus => ({
    ok: true,
    fault: 0,
    commandCode,
    line,
    text,
  });
  const statuses = [
    status(2, 1, '0.2'),
    status(4, 2, 'MySEID OtherSEID'),
    status(8, 3, 'MySEID is powered on'),
    status(5, 4, 'MySEID reseted'),
    status(6, 5, '9000'),
  ];
  const bytes = encodeRacsResponse('MyLabel', statuses);
  assert.equal(
    Buffer.from(bytes).toString(),
    'BEGIN MyLabel\r\n+002 001 0.2\r\n+004 002 MySEID OtherSEID\r\n+008 003 MySEID is powered on\r\n+005 004 MySEID reseted\r\n+006 005 9000\r\nEND\r\n',
  );
  assert.deepEqual(decodeRacsResponse(bytes), { label: 'MyLabel', statuses });
});

test('lines that break the grammar are refused with their code', () => {
  const refusals: readonly (readonly [string, number, number])[] = [
    ['FLY MySEID', 1, 0],
    ['POWERON', 5, 8],
    ['RESET MySEID COLD', 4, 5],
    ['APDU MySEID', 5, 6],
    ['APDU MySEID 00A4040', 4, 6],
    ['APDU MySEID 00A40400 CONTINUE=90', 4, 6],
    ['SET-VERSION two', 4, 3],
    [`BEGIN ${'x'.repeat(65)}`, 4, 1],
    ['LIST everything', 5, 4],
  ];
  for (const [text, fault, commandCode] of refusals) {
    const parsed = parseRacsLine(text, 1);
    assert.equal(parsed.kind, 'refused', text);
    if (parsed.kind === 'refused')
      assert.deepEqual([parsed.status.fault, parsed.status.commandCode], [fault, commandCode], text);
  }
});

test('nothing is read before BEGIN and after END, and a second BEGIN is refused', () => {
  const reader = new RacsReader();
  const kinds = (text: string) => reader.push(Buffer.from(text)).map((parsed) => parsed.kind);
  assert.deepEqual(kinds('LIST\r\n'), ['refused']);
  assert.deepEqual(kinds('BEGIN\r\nEND\r\nLIST\r\n'), ['command', 'command', 'refused']);
  assert.deepEqual(kinds('BEGIN a\r\nBEGIN b\r\n'), ['command', 'refused']);
});

test('a line without end is cut off, and random bytes give the RACS error only', () => {
  const reader = new RacsReader();
  assert.throws(() => reader.push(new Uint8Array(5000).fill(0x41)), { code: 'GP_RACS_MALFORMED' });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      new RacsReader().push(bytes);
      try {
        decodeRacsResponse(bytes);
      } catch (error) {
        assert.ok(isSefleetError(error, 'GP_RACS_MALFORMED'));
      }
    }),
  );
});

test('an APDU is resent after 6Cxx, fetched after MORE and judged by CONTINUE', async () => {
  const sent: string[] = [];
  const script: Record<string, string> = {
    '80ca00cf00': '6c0c',
    '80ca00cf0c': 'aabb9000',
    '00a4040000': '6102',
    '00c0000002': 'ccdd9000',
  };
  const transmit = (apdu: Uint8Array): Uint8Array => {
    sent.push(toHex(apdu));
    return fromHex(script[toHex(apdu)] ?? '6f00');
  };
  const plain: RacsApdu = { name: 'APDU', seid: 's', apdu: fromHex('80ca00cf00') };
  assert.equal(toHex((await executeRacsApdu(transmit, plain)).response), 'aabb9000');
  const fetching = {
    ...plain,
    apdu: fromHex('00a4040000'),
    more: 0x61,
    fetch: fromHex('00c00000'),
    continueOn: 0x9000,
  };
  assert.deepEqual(await executeRacsApdu(transmit, fetching), {
    response: fromHex('ccdd9000'),
    goesOn: true,
  });
  assert.equal((await executeRacsApdu(transmit, { ...fetching, continueOn: 0x6a82 })).goesOn, false);
  assert.deepEqual(sent.slice(0, 4), ['80ca00cf00', '80ca00cf0c', '00a4040000', '00c0000002']);
});
