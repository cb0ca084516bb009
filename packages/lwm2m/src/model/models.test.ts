import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CONTENT_FORMAT } from '../content/content-format.ts';
import type { ContentFormat } from '../content/content-format.ts';
import { decodeContent, encodeContent } from '../content/codec.ts';
import { loadModelFolder, parseModelXml } from './ddf.ts';
import { createModelRegistry, modelsForVersions } from './model-registry.ts';
import { omaModels } from './oma-models.ts';
import { Lwm2mPath } from './path.ts';

const XML = `<?xml version="1.0"?>
<LWM2M><Object ObjectType="MODefinition"><Name>Boiler</Name><ObjectID>32769</ObjectID><ObjectVersion>1.2</ObjectVersion>
<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources>
<Item ID="0"><Name>Set Point</Name><Operations>RW</Operations><MultipleInstances>Single</MultipleInstances>
<Mandatory>Mandatory</Mandatory><Type>Float</Type><RangeEnumeration>5..95</RangeEnumeration><Units>Cel</Units></Item>
<Item ID="1"><Name>Ignite</Name><Operations>E</Operations><Type></Type></Item>
<Item ID="2"><Name>Pulses</Name><Operations>R</Operations><Type>Unsigned Integer</Type></Item>
</Resources></Object></LWM2M>`;

describe('the registry of OMA', () => {
  it('unfolds every object', () => {
    const objects = [...omaModels().objects()];
    assert.ok(objects.length > 290);
    for (const { id, name, resources } of objects) {
      assert.ok(name !== '', `object ${id} has a name`);
      for (const [key, resource] of resources) assert.equal(resource.id, key);
    }
  });

  it('knows the objects of the enabler as their definitions have them', () => {
    const device = omaModels().object(3);
    assert.equal(device?.name, 'Device');
    assert.equal(device.version, '1.2');
    assert.equal(device.resources.get(4)?.operations.execute, true);
    assert.equal(device.resources.get(7)?.multiple, true);
    assert.equal(omaModels().object(1, '1.0')?.resources.has(9), false);
    assert.equal(omaModels().object(0)?.resources.get(5)?.operations.read, false);
    assert.equal(omaModels().resource(Lwm2mPath.parse('/3303/0/5700'))?.type, 'float');
    assert.equal(omaModels().resource(Lwm2mPath.parse('/3303/0/5605'))?.operations.execute, true);
    assert.equal(omaModels().object(26_241), undefined);
  });

  it('has by hand what its source cannot tell: executables, and bytes', () => {
    const typeOf = (path: string) => omaModels().resource(Lwm2mPath.parse(path))?.type;
    assert.deepEqual(
      ['/9/0/2', '/10/0/8', '/19/0/0/0', '/20/0/4014', '/10266/0/6029', '/3442/0/150'].map(typeOf),
      ['opaque', 'opaque', 'opaque', 'opaque', 'opaque', 'opaque'],
    );
    assert.deepEqual(
      ['/8/0/3', '/9/0/4', '/14/0/3', '/20/0/4011', '/3200/0/5505', '/3341/0/5530', '/3442/0/0'].map(
        (path) => omaModels().resource(Lwm2mPath.parse(path))?.operations,
      ),
      Array.from({ length: 7 }, () => ({ read: false, write: false, execute: true })),
    );
  });

  it('leaves to the content format whether a value is text or bytes where nobody knows', () => {
    const path = Lwm2mPath.parse('/508/0/3');
    assert.equal(omaModels().resource(path)?.type, 'none');
    const bytes = Uint8Array.of(0x30, 0x82);
    const decode = (format: ContentFormat, payload: Uint8Array) =>
      decodeContent(format, path, payload, omaModels()).map(({ value }) => value);
    assert.deepEqual(decode(CONTENT_FORMAT.OPAQUE, bytes), [bytes]);
    assert.deepEqual(decode(CONTENT_FORMAT.TLV, Uint8Array.of(0xc2, 3, 0x30, 0x82)), [bytes]);
    assert.deepEqual(decode(CONTENT_FORMAT.TEXT, new TextEncoder().encode('MIIB')), ['MIIB']);
    for (const value of [bytes, 'MIIB']) {
      const payload = encodeContent(CONTENT_FORMAT.SENML_CBOR, path, [{ path, value }], omaModels());
      assert.deepEqual(decode(CONTENT_FORMAT.SENML_CBOR, payload), [value]);
    }
  });
});

describe('versions of an object', () => {
  const boilers = ['1.0', '1.2', '2.0'].flatMap((version) =>
    parseModelXml(XML.replace('>1.2<', `>${version}<`)),
  );
  const models = createModelRegistry(boilers, omaModels());

  it('are told apart by their major number', () => {
    assert.equal(models.object(32_769)?.version, '2.0');
    assert.equal(models.object(32_769, '1.0')?.version, '1.0');
    assert.equal(models.object(32_769, '1.1')?.version, '1.2', 'a newer minor version only adds');
    assert.equal(models.object(32_769, '3.0'), undefined);
    assert.equal(models.object(3, '1.0')?.version, '1.0');
    assert.equal(models.object(3303, '1.0')?.version, '1.1');
    assert.equal(models.object(3303, '7.0'), undefined);
  });

  it('are those that a device announced', () => {
    assert.equal(modelsForVersions(models, new Map([[3303, '1.0']])), models);
    const device = modelsForVersions(
      models,
      new Map([
        [32_769, '1.0'],
        [3303, '7.0'],
      ]),
    );
    assert.equal(device.object(32_769)?.version, '1.0');
    assert.equal(device.resource(Lwm2mPath.parse('/32769/0/0'))?.type, 'float');
    assert.equal(device.resource(Lwm2mPath.parse('/3303/0/5700')), undefined, 'nobody knows that version');
    assert.equal([...device.objects()].length, [...models.objects()].length - 1);
  });
});

describe('definition files', () => {
  it('are read from a folder and win over the registry', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sefleet-ddf-'));
    try {
      await writeFile(join(folder, '32769.xml'), XML);
      await writeFile(join(folder, 'notes.txt'), 'no definition');
      // What a copy of OMA's registry holds beside definitions.
      await writeFile(join(folder, 'Units.xml'), '<senml-units><unit/></senml-units>');
      await writeFile(
        join(folder, 'Common.xml'),
        '<LWM2M><Object ObjectType="CommonResources"><Resources><Item ID="4000"/></Resources></Object></LWM2M>',
      );
      const models = createModelRegistry(await loadModelFolder(folder), omaModels());
      const setPoint = models.resource(Lwm2mPath.parse('/32769/0/0'));
      assert.deepEqual(setPoint, {
        id: 0,
        name: 'Set Point',
        type: 'float',
        operations: { read: true, write: true, execute: false },
        multiple: false,
        mandatory: true,
        units: 'Cel',
        range: { min: 5, max: 95 },
      });
      assert.equal(models.object(32_769)?.resources.get(2)?.type, 'unsigned');
      assert.equal(models.object(3)?.name, 'Device');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('are refused by name when they cannot be read', () => {
    for (const bad of [
      '',
      '<a/>',
      XML.replace('32769', 'x'),
      XML.replace('Float', 'Colour'),
      XML.replace('"1"', '"0"'),
    ]) {
      assert.throws(() => parseModelXml(bad, 'boiler.xml'), {
        code: 'LWM2M_MODEL_INVALID',
        message: /boiler\.xml|XML/,
      });
    }
    for (let length = 1; length < XML.length; length += 7) {
      assert.throws(() => parseModelXml(XML.slice(0, length), 'cut.xml'), { code: 'LWM2M_MODEL_INVALID' });
    }
    const bomb =
      '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><LWM2M><Object>&b;</Object></LWM2M>';
    assert.throws(() => parseModelXml(bomb, 'bomb.xml'), { code: 'LWM2M_MODEL_INVALID' });
  });
});
