import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { omaModels } from '../model/oma-models.ts';
import { Lwm2mPath } from '../model/path.ts';
import { decodeContent, encodeContent } from './codec.ts';
import { CONTENT_FORMAT } from './content-format.ts';
import type { ContentFormat } from './content-format.ts';
import type { Lwm2mEntry } from './entry.ts';
import { nodeName, parseNodeName } from './node-name.ts';

const models = omaModels();
const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);
const { ROOT } = Lwm2mPath;
const FORMATS: readonly ContentFormat[] = [
  CONTENT_FORMAT.SENML_JSON,
  CONTENT_FORMAT.SENML_CBOR,
  CONTENT_FORMAT.LWM2M_CBOR,
];
const OWN: Lwm2mEntry = { path: path('/3303/0/5700'), value: 21.5 };
const FIRST: Lwm2mEntry = { path: path('/3303/0/5700'), value: 7.25, prefix: 'd1' };
const SECOND: Lwm2mEntry = { path: path('/3/0/0'), value: 'pump', prefix: 'd2' };

describe('names of nodes behind a gateway', () => {
  it('begin with a prefix that is no id', () => {
    assert.deepEqual(parseNodeName('/d1/3/0'), { path: path('/3/0'), prefix: 'd1' });
    assert.deepEqual(parseNodeName('/d1'), { path: ROOT, prefix: 'd1' });
    assert.deepEqual(parseNodeName('/3/0'), { path: path('/3/0'), prefix: undefined });
    for (const bad of ['/1d/3', '/d1/3/0/1/2/3', '/d1//3', '/d1/x', `/${'d'.repeat(65)}/3`]) {
      assert.equal(parseNodeName(bad), undefined, bad);
    }
    assert.equal(nodeName(ROOT, 'd1'), '/d1');
  });

  it('tell end devices apart in payloads for the root', () => {
    for (const format of FORMATS) {
      const payload = encodeContent(format, ROOT, [OWN, FIRST, SECOND], models);
      assert.deepEqual(decodeContent(format, ROOT, payload, models), [OWN, FIRST, SECOND], String(format));
    }
    const json = Buffer.from(encodeContent(CONTENT_FORMAT.SENML_JSON, ROOT, [FIRST], models)).toString();
    assert.equal(json, '[{"n":"/d1/3303/0/5700","v":7.25}]');
  });

  it('are left out and may be given in payloads for an end device', () => {
    const base = path('/3303/0');
    const { prefix, ...bare } = FIRST;
    for (const format of FORMATS) {
      const payload = encodeContent(format, base, [FIRST], models);
      assert.deepEqual(decodeContent(format, base, payload, models, { prefix }), [bare], String(format));
      const plain = encodeContent(format, base, [bare], models);
      assert.deepEqual(decodeContent(format, base, plain, models, { prefix }), [bare], String(format));
      for (const options of [{ prefix: 'd2' }, {}]) {
        assert.throws(() => decodeContent(format, base, payload, models, options), {
          code: 'LWM2M_CONTENT_INVALID',
        });
      }
    }
  });

  it('are refused where they are none', () => {
    const bad = ['a1 62 3164 a0', 'a1 60 a0', 'a1 82 6264 31 6264 32 a0', 'a1 626431 05', 'a1 81 01 05'];
    for (const hex of bad) {
      const payload = Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
      assert.throws(() => decodeContent(CONTENT_FORMAT.LWM2M_CBOR, ROOT, payload, models), {
        code: 'LWM2M_CONTENT_INVALID',
      });
    }
  });
});
