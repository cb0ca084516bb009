import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { decode as cborgDecode } from 'cborg';
import { createModelRegistry } from '../model/model-registry.ts';
import { parseOperations } from '../model/object-model.ts';
import type { ResourceModel } from '../model/object-model.ts';
import { omaModels } from '../model/oma-models.ts';
import { Lwm2mPath } from '../model/path.ts';
import type { Lwm2mValue, ResourceType } from '../model/value.ts';
import { decodeContent, encodeContent } from './codec.ts';
import { CONTENT_FORMAT } from './content-format.ts';
import type { Lwm2mEntry } from './entry.ts';

const models = omaModels();
const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);
const entry = (text: string, value: Lwm2mValue | null): Lwm2mEntry => ({ path: path(text), value });
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Core 1.1 §7.4.3, the Device object of the examples. */
const DEVICE: readonly Lwm2mEntry[] = [
  entry('/3/0/0', 'Open Mobile Alliance'),
  entry('/3/0/1', 'Lightweight M2M Client'),
  entry('/3/0/2', '345000123'),
  entry('/3/0/3', '1.0'),
  entry('/3/0/6/0', 1),
  entry('/3/0/6/1', 5),
  entry('/3/0/7/0', 3800),
  entry('/3/0/7/1', 5000),
  entry('/3/0/8/0', 125),
  entry('/3/0/8/1', 900),
  entry('/3/0/9', 100),
  entry('/3/0/10', 15),
  entry('/3/0/11/0', 0),
  entry('/3/0/13', 1_367_491_215),
  entry('/3/0/14', '+02:00'),
  entry('/3/0/16', 'U'),
];
const DEVICE_TLV = fromHex(`
  c800144f70656e204d6f62696c6520416c6c69616e6365 c801164c69676874776569676874204d324d20436c69656e74
  c80209333435303030313233 c303312e30 86064100014101 05 88070842000ed842011388 870841007d42010384
  c10964 c10a0f 830b410000 c40d5182428f c60e2b30323a3030 c11055`);

describe('TLV, examples of the LwM2M Core specification §7.4.3', () => {
  it('carries one instance as resources or wrapped in an instance', () => {
    assert.equal(toHex(encodeContent(CONTENT_FORMAT.TLV, path('/3/0'), DEVICE, models)), toHex(DEVICE_TLV));
    assert.deepEqual(decodeContent(CONTENT_FORMAT.TLV, path('/3/0'), DEVICE_TLV, models), DEVICE);
    const wrapped = fromHex(`080079${toHex(DEVICE_TLV)}`);
    assert.equal(toHex(encodeContent(CONTENT_FORMAT.TLV, path('/3'), DEVICE, models)), toHex(wrapped));
    assert.deepEqual(decodeContent(CONTENT_FORMAT.TLV, path('/3'), wrapped, models), DEVICE);
    assert.deepEqual(decodeContent(CONTENT_FORMAT.TLV, path('/3/0'), wrapped, models), DEVICE);
  });

  it('carries several instances with resource instance ids of 16 bits', () => {
    const entries = [
      entry('/2/0/0', 1),
      entry('/2/0/1', 0),
      entry('/2/0/2/127', 7),
      entry('/2/0/3', 127),
      entry('/2/2/0', 3),
      entry('/2/2/1', 0),
      entry('/2/2/2/127', 7),
      entry('/2/2/2/310', 1),
      entry('/2/2/3', 127),
    ];
    const tlv = fromHex(`08000ec10001c101008302417f07c1037f 080212c10003c101008702417f0761013601c1037f`);
    assert.equal(toHex(encodeContent(CONTENT_FORMAT.TLV, path('/2'), entries, models)), toHex(tlv));
    assert.deepEqual(decodeContent(CONTENT_FORMAT.TLV, path('/2'), tlv, models), entries);
  });

  it('carries object links', () => {
    const resource = (id: number, type: ResourceType, multiple: boolean): [number, ResourceModel] => [
      id,
      { id, name: '', type, multiple, operations: parseOperations('RW'), mandatory: false },
    ];
    const resources = new Map([
      resource(0, 'objlnk', true),
      resource(1, 'string', false),
      resource(2, 'integer', false),
    ]);
    const links = createModelRegistry([
      { id: 65, name: '', version: '1.0', multiple: true, mandatory: false, resources },
    ]);
    const tlv = fromHex('88000c44000042000044010042 0001 c8010d38363133383030373535353030 c40212345678');
    const entries = [
      entry('/65/0/0/0', { objectId: 66, instanceId: 0 }),
      entry('/65/0/0/1', { objectId: 66, instanceId: 1 }),
      entry('/65/0/1', '8613800755500'),
      entry('/65/0/2', 0x12345678),
    ];
    assert.deepEqual(decodeContent(CONTENT_FORMAT.TLV, path('/65/0'), tlv, links), entries);
    assert.equal(toHex(encodeContent(CONTENT_FORMAT.TLV, path('/65/0'), entries, links)), toHex(tlv));
  });

  it('gives resources of a create without an instance the id that the caller chose', () => {
    const tlv = fromHex('c801014d');
    const entries = decodeContent(CONTENT_FORMAT.TLV, path('/9'), tlv, models, { newInstanceId: 4 });
    assert.deepEqual(entries, [entry('/9/4/1', 'M')]);
    assert.throws(() => decodeContent(CONTENT_FORMAT.TLV, path('/9'), tlv, models), {
      code: 'LWM2M_CONTENT_INVALID',
    });
  });

  it('refuses what is out of its place', () => {
    const bad = ['c10964c10964', '080001', 'c10964ff', '4100 01', '0800 03 0800 00', '861001 02', '0801 00'];
    for (const hex of bad) {
      assert.throws(() => decodeContent(CONTENT_FORMAT.TLV, path('/3/0'), fromHex(hex), models), {
        code: 'LWM2M_CONTENT_INVALID',
      });
    }
  });
});

describe('SenML', () => {
  it('writes names as the LwM2M examples do', () => {
    const entries = [entry('/3/0/0', 'Open Mobile Alliance'), entry('/3/0/9', 100), entry('/3/0/6/1', 5)];
    const json = Buffer.from(
      encodeContent(CONTENT_FORMAT.SENML_JSON, path('/3/0'), entries, models),
    ).toString();
    assert.equal(
      json,
      '[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},{"n":"9","v":100},{"n":"6/1","v":5}]',
    );
    assert.deepEqual(
      cborgDecode(encodeContent(CONTENT_FORMAT.SENML_CBOR, path('/3/0/9'), [entry('/3/0/9', 100)], models), {
        useMaps: true,
      }),
      [
        new Map<number, string | number>([
          [-2, '/3/0/9'],
          [2, 100],
        ]),
      ],
    );
  });

  it('resolves base names, base times, base values and times relative to now (RFC 8428 §4.6, §4.5.3)', () => {
    const json = utf8(
      '[{"bn":"/3303/0/","bt":1700000000,"bv":20,"n":"5700","v":1.5,"u":"Cel"},' +
        '{"n":"5700","t":-5,"v":1},{"bt":-10,"n":"5700","v":0}]',
    );
    const entries = decodeContent(CONTENT_FORMAT.SENML_JSON, Lwm2mPath.ROOT, json, models, {
      nowSeconds: 1_800_000_000,
    });
    assert.deepEqual(entries, [
      { ...entry('/3303/0/5700', 21.5), timeSeconds: 1_700_000_000 },
      { ...entry('/3303/0/5700', 21), timeSeconds: 1_699_999_995 },
      { ...entry('/3303/0/5700', 20), timeSeconds: 1_799_999_990 },
    ]);
  });

  it('keeps the times of historical records', () => {
    const at = [1_700_000_000, 1_700_000_010.5, 1_700_000_020];
    const entries = at.map((timeSeconds, i) => ({ ...entry('/3303/0/5700', i + 0.5), timeSeconds }));
    for (const format of [CONTENT_FORMAT.SENML_CBOR, CONTENT_FORMAT.SENML_JSON] as const) {
      const payload = encodeContent(format, Lwm2mPath.ROOT, entries, models);
      assert.deepEqual(decodeContent(format, Lwm2mPath.ROOT, payload, models), entries);
    }
  });

  it('reads packs of other encoders: indefinite lengths, half floats, unknown labels', () => {
    // 9f bf 21 68 "/3303/0/" 00 64 "5700" 02 f9 4d00 (20.0) 01 63 "Cel" ff ff
    const pack = fromHex('9fbf21682f333330332f302f0064353730300 2f94d0001 6343656cffff');
    assert.deepEqual(decodeContent(CONTENT_FORMAT.SENML_CBOR, path('/3303'), pack, models), [
      entry('/3303/0/5700', 20),
    ]);
  });

  it('refuses labels that must be understood, newer versions, values of the wrong type and odd names', () => {
    const bad = [
      '[{"n":"/3/0/0","vs":"a","x_":1}]',
      '[{"bver":11,"n":"/3/0/0","vs":"a"}]',
      '[{"n":"/3/0/0","v":1}]',
      '[{"n":"/3/0/9","v":1.5}]',
      '[{"n":"urn:dev:1","v":1}]',
      '[{"n":"/3","v":1}]',
      '[{"n":"/3/0/01","v":1}]',
      '{"n":"/3/0/9"}',
      '[1]',
      '[{"n":1}]',
      '[',
    ];
    for (const text of bad) {
      assert.throws(() => decodeContent(CONTENT_FORMAT.SENML_JSON, Lwm2mPath.ROOT, utf8(text), models), {
        code: 'LWM2M_CONTENT_INVALID',
      });
    }
  });

  it('keeps integers of 64 bits', () => {
    const value = 9_007_199_254_740_993n;
    for (const format of [CONTENT_FORMAT.SENML_CBOR, CONTENT_FORMAT.SENML_JSON] as const) {
      const payload = encodeContent(format, path('/3/0/10'), [entry('/3/0/10', value)], models);
      assert.deepEqual(decodeContent(format, path('/3/0/10'), payload, models), [entry('/3/0/10', value)]);
    }
  });
});

describe('LwM2M CBOR', () => {
  it('nests below one key for the base', () => {
    const entries = [entry('/3/0/9', 100), entry('/3/0/6/0', 1), entry('/3/0/13', 1_367_491_215)];
    const payload = encodeContent(CONTENT_FORMAT.LWM2M_CBOR, path('/3/0'), entries, models);
    assert.equal(toHex(payload), 'a1820300a309186406a100010dc11a5182428f');
    assert.deepEqual(decodeContent(CONTENT_FORMAT.LWM2M_CBOR, path('/3/0'), payload, models), entries);
  });

  it('takes keys of several ids at any level and refuses the same path twice', () => {
    const payload = fromHex('a2 03 a1 82 00 09 18 64 83 03 00 0a 0f');
    assert.deepEqual(decodeContent(CONTENT_FORMAT.LWM2M_CBOR, Lwm2mPath.ROOT, payload, models), [
      entry('/3/0/9', 100),
      entry('/3/0/10', 15),
    ]);
    const twice = fromHex('a2 03 a1 82 00 09 18 64 83 03 00 09 0f');
    assert.throws(() => decodeContent(CONTENT_FORMAT.LWM2M_CBOR, Lwm2mPath.ROOT, twice, models), {
      code: 'LWM2M_CONTENT_INVALID',
    });
  });
});

describe('single values', () => {
  it('are text as appendix C has it', () => {
    const text = (at: string, value: Lwm2mValue): string =>
      Buffer.from(encodeContent(CONTENT_FORMAT.TEXT, path(at), [entry(at, value)], models)).toString();
    assert.equal(text('/3/0/9', 100), '100');
    assert.equal(text('/1/0/6', true), '1');
    assert.equal(text('/3303/0/5700', 20.5), '20.5');
    assert.equal(text('/5/0/0', Uint8Array.of(1, 2, 3)), 'AQID');
    assert.equal(text('/1/0/10', { objectId: 11, instanceId: 2 }), '11:2');
    assert.deepEqual(decodeContent(CONTENT_FORMAT.TEXT, path('/1/0/10'), utf8('11:2'), models), [
      entry('/1/0/10', { objectId: 11, instanceId: 2 }),
    ]);
  });

  it('are refused when they do not fit', () => {
    for (const [at, value] of [
      ['/3/0/9', '1.5'],
      ['/1/0/6', '2'],
      ['/3303/0/5700', 'warm'],
      ['/5/0/0', '***'],
    ] as const) {
      assert.throws(() => decodeContent(CONTENT_FORMAT.TEXT, path(at), utf8(value), models), {
        code: 'LWM2M_CONTENT_INVALID',
      });
    }
    assert.throws(() => encodeContent(CONTENT_FORMAT.TEXT, path('/3/0'), [...DEVICE], models), {
      code: 'LWM2M_NOT_ACCEPTABLE',
    });
    assert.throws(() => decodeContent(CONTENT_FORMAT.OPAQUE, path('/3/0/9'), utf8('1'), models), {
      code: 'LWM2M_FORMAT_UNSUPPORTED',
    });
  });
});
