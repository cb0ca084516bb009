import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
const decode = (base: string, text: string, nowSeconds?: number): readonly Lwm2mEntry[] =>
  decodeContent(
    CONTENT_FORMAT.LWM2M_JSON,
    path(base),
    utf8(text),
    models,
    nowSeconds === undefined ? {} : { nowSeconds },
  );
const encode = (base: string, entries: readonly Lwm2mEntry[]): string =>
  Buffer.from(encodeContent(CONTENT_FORMAT.LWM2M_JSON, path(base), entries, models)).toString();

describe('LwM2M JSON (Core 1.0 §6.4.4)', () => {
  it('reads and writes the Device object as the specification has it', () => {
    const text =
      '{"bn":"/3/0/","e":[{"n":"0","sv":"Open Mobile Alliance"},{"n":"6/0","v":1},{"n":"6/1","v":5},' +
      '{"n":"7/0","v":3800},{"n":"13","v":1367491215},{"n":"14","sv":"+02:00"},{"n":"16","sv":"U"}]}';
    const entries = [
      entry('/3/0/0', 'Open Mobile Alliance'),
      entry('/3/0/6/0', 1),
      entry('/3/0/6/1', 5),
      entry('/3/0/7/0', 3800),
      entry('/3/0/13', 1_367_491_215),
      entry('/3/0/14', '+02:00'),
      entry('/3/0/16', 'U'),
    ];
    assert.deepEqual(decode('/3/0', text), entries);
    assert.equal(encode('/3/0', entries), text);
  });

  it('takes notifications with times relative to the base time', () => {
    const text = '{"bn":"/72/","bt":25462634,"e":[{"n":"1/2","v":22.4,"t":-5},{"n":"1/2","v":22.9,"t":-30}]}';
    const entries = decode('/72', text);
    assert.deepEqual(
      entries.map(({ timeSeconds }) => timeSeconds),
      [25_462_629, 25_462_604],
    );
    const timed = [{ ...entry('/3303/0/5700', 22.5), timeSeconds: 1_767_225_600.5 }];
    assert.deepEqual(decode('/3303/0', encode('/3303/0', timed)), timed);
    assert.equal(
      decode('/3303/0/5700', '{"e":[{"v":1,"t":-60}]}', 1_767_225_600)[0]?.timeSeconds,
      1_767_225_540,
    );
  });

  it('takes names relative to the path of the request when there is no base name', () => {
    assert.deepEqual(decode('/3/0', '{"e":[{"n":"14","sv":"+01:00"}]}'), [entry('/3/0/14', '+01:00')]);
    assert.deepEqual(decode('/3/0/14', '{"e":[{"sv":"+01:00"}]}'), [entry('/3/0/14', '+01:00')]);
    assert.deepEqual(decode('/3/0/7', '{"e":[{"n":"1","v":5}]}'), [entry('/3/0/7/1', 5)]);
  });

  it('carries opaque values as base64 and object links as ov', () => {
    const bytes = Uint8Array.of(0xfb, 0xff, 0);
    assert.equal(encode('/5/0/0', [entry('/5/0/0', bytes)]), '{"bn":"/5/0/0","e":[{"sv":"+/8A"}]}');
    assert.deepEqual(decode('/5/0/0', '{"bn":"/5/0/0","e":[{"sv":"+/8A"}]}'), [entry('/5/0/0', bytes)]);
    const link = resourceOf('objlnk');
    const own = createModelRegistry([
      { id: 65, name: '', version: '1.0', multiple: true, mandatory: false, resources: new Map([[0, link]]) },
    ]);
    const entries = [entry('/65/0/0', { objectId: 66, instanceId: 1 })];
    const payload = encodeContent(CONTENT_FORMAT.LWM2M_JSON, path('/65/0'), entries, own);
    assert.equal(Buffer.from(payload).toString(), '{"bn":"/65/0/","e":[{"n":"0","ov":"66:1"}]}');
    assert.deepEqual(decodeContent(CONTENT_FORMAT.LWM2M_JSON, path('/65/0'), payload, own), entries);
  });

  it('refuses what is no payload of it', () => {
    const bad = [
      '[]',
      '{}',
      '{"e":{}}',
      '{"bn":1,"e":[]}',
      '{"bn":"/3/0/","e":[1]}',
      '{"bn":"/3/0/","e":[{"n":"0"}]}',
      '{"bn":"/3/0/","e":[{"n":"0","sv":"x","v":1}]}',
      '{"bn":"/3/0/","e":[{"n":"0","v":1}]}',
      '{"bn":"/4/0/","e":[{"n":"0","v":1}]}',
      '{"bn":"/3/0","e":[{"n":"x","sv":"a"}]}',
      '{"bn":"/3/0","e":[{"sv":"a"}]}',
      '{"bn":"/3/0/","e":[{"n":"9","v":1.5}]}',
      `{"e":[${'{"n":"9","v":1},'.repeat(10_000)}{"n":"9","v":1}]}`,
    ];
    for (const text of bad) {
      assert.throws(() => decode('/3/0', text), { code: 'LWM2M_CONTENT_INVALID' }, text.slice(0, 60));
    }
    assert.throws(() => decode('/5/0/0', '{"e":[{"sv":"!"}]}'), { code: 'LWM2M_CONTENT_INVALID' });
  });
});

function resourceOf(type: ResourceType): ResourceModel {
  return { id: 0, name: '', type, multiple: false, operations: parseOperations('RW'), mandatory: false };
}
