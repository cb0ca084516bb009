import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { lwm2mError } from '../errors.ts';
import type { Lwm2mEntry } from '../content/entry.ts';
import { omaModels } from '../model/oma-models.ts';
import { Lwm2mPath } from '../model/path.ts';
import type { Lwm2mValue } from '../model/value.ts';
import { defineObject, enablerObjects } from '../objects/enabler-objects.ts';
import { formatExecuteArguments, parseExecuteArguments } from './execute-arguments.ts';
import { createInstance, deleteInstance, executeResource } from './lifecycle.ts';
import { ObjectTree } from './object-tree.ts';
import { readComposite, readEntries } from './read.ts';
import { writeComposite, writeEntries } from './write.ts';

const models = omaModels();
const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);
const entry = (text: string, value: Lwm2mValue | null): Lwm2mEntry => ({ path: path(text), value });

describe('operations on a tree', () => {
  let tree: ObjectTree<string[]>;
  const notes = (): string[] => tree.owner;

  beforeEach(() => {
    tree = new ObjectTree(
      [
        ...enablerObjects<string[]>(models, { reboot: (log) => void log.push('reboot') }),
        defineObject<string[]>(models, 3303, {
          creatable: true,
          behaviour: {
            read: (_instance, id) => (id === 5518 ? 1_700_000_000 : undefined),
            write: (instance, id, value) => {
              if (value === 'forbidden') throw lwm2mError('LWM2M_CONFLICT', 'not now');
              instance.owner.push(`write ${id}`);
              return 'store';
            },
            created: (instance) => void instance.owner.push(`created ${instance.id}`),
            removed: (instance) => void instance.owner.push(`removed ${instance.id}`),
          },
          supports: [5518],
        }),
      ],
      [],
      models,
    );
    tree.require(3303).add(0, [
      [5700, 20],
      [5750, 'cellar'],
    ]);
    tree.require(3).add(0, [[14, '+00:00']]);
  });

  it('reads stored and computed resources and leaves out what is not readable', () => {
    assert.deepEqual(readEntries(tree, path('/3303'), 101), [
      entry('/3303/0/5518', 1_700_000_000),
      entry('/3303/0/5700', 20),
      entry('/3303/0/5750', 'cellar'),
    ]);
    assert.throws(() => readEntries(tree, path('/3/0/4'), 101), { code: 'LWM2M_METHOD_NOT_ALLOWED' });
    assert.deepEqual(readComposite(tree, [path('/3/0/4'), path('/3303/0/5700')], 101), [
      entry('/3303/0/5700', 20),
    ]);
  });

  it('replaces or updates an instance', async () => {
    await writeEntries(tree, path('/3303/0'), [entry('/3303/0/5750', 'roof')], 'update', 101);
    assert.deepEqual(notes(), ['write 5750']);
    await writeEntries(tree, path('/3303/0'), [], 'replace', 101);
    assert.equal(tree.instance(3303, 0)?.get(5750), undefined);
    assert.equal(tree.instance(3303, 0)?.get(5700), 20, 'what servers only read stays');
  });

  it('checks all before it applies any, and undoes what a handler refuses', () => {
    const typo = [entry('/3303/0/5750', 'roof'), entry('/3303/0/5701', 'K')];
    assert.throws(() => writeEntries(tree, path('/3303/0'), typo, 'update', 101), {
      code: 'LWM2M_METHOD_NOT_ALLOWED',
    });
    assert.equal(tree.instance(3303, 0)?.get(5750), 'cellar');
    const both = [entry('/3/0/14', '+09:00'), entry('/3303/0/5750', 'forbidden')];
    assert.throws(() => writeComposite(tree, both, 101), { code: 'LWM2M_CONFLICT' });
    assert.equal(tree.instance(3, 0)?.get(14), '+00:00');
    assert.throws(
      () => writeEntries(tree, path('/3303/0/5750'), [entry('/3303/0/5750', 1)], 'replace', 101),
      {
        code: 'LWM2M_BAD_REQUEST',
      },
    );
    assert.throws(
      () => writeEntries(tree, path('/3303/0/5750'), [entry('/3303/0/5750/0', 'x')], 'replace', 101),
      {
        code: 'LWM2M_BAD_REQUEST',
      },
    );
  });

  it('creates and deletes', () => {
    const { instance } = createInstance(tree, 3303, [entry('/3303/7/5700', 1)], 101);
    assert.equal(instance.id, 7);
    assert.throws(() => createInstance(tree, 3303, [entry('/3303/7/5700', 1)], 101), {
      code: 'LWM2M_CONFLICT',
    });
    assert.throws(() => createInstance(tree, 3, [], 101), { code: 'LWM2M_METHOD_NOT_ALLOWED' });
    assert.throws(() => createInstance(tree, 3303, [entry('/3303/8/5700', 'warm')], 101), {
      code: 'LWM2M_BAD_REQUEST',
    });
    assert.equal(tree.instance(3303, 8), undefined);
    deleteInstance(tree, path('/3303/7'), 101);
    assert.throws(() => deleteInstance(tree, path('/3303/7'), 101), { code: 'LWM2M_NOT_FOUND' });
    assert.throws(() => deleteInstance(tree, path('/3/0'), 101), { code: 'LWM2M_METHOD_NOT_ALLOWED' });
    assert.deepEqual(notes(), ['write 5700', 'created 7', 'removed 7']);
  });

  it('executes', () => {
    void executeResource(tree, path('/3/0/4'), new Map(), 101);
    assert.deepEqual(notes(), ['reboot']);
    assert.throws(() => executeResource(tree, path('/3/0/14'), new Map(), 101), {
      code: 'LWM2M_METHOD_NOT_ALLOWED',
    });
    assert.throws(() => executeResource(tree, path('/3/0/5'), new Map(), 101), { code: 'LWM2M_NOT_FOUND' });
  });

  it('keeps keys from servers', () => {
    tree.require(0).add(0, [[0, 'coap://x']]);
    assert.throws(() => readEntries(tree, path('/0/0'), 101), { code: 'LWM2M_UNAUTHORIZED' });
    assert.throws(() => writeEntries(tree, path('/0/0'), [entry('/0/0/0', 'coap://y')], 'update', 101), {
      code: 'LWM2M_UNAUTHORIZED',
    });
    assert.equal(readEntries(tree, path('/0/0'), 'bootstrap').length, 1);
  });

  it('is bounded', () => {
    for (let id = 1; id < 1000; id++) tree.require(3303).add(id);
    assert.throws(() => createInstance(tree, 3303, [], 101), { code: 'LWM2M_BAD_REQUEST' });
  });
});

describe('arguments of an execute', () => {
  it('are read and written', () => {
    const args = parseExecuteArguments(`0='abc',2,9=''`);
    assert.deepEqual(
      [...args],
      [
        [0, 'abc'],
        [2, true],
        [9, ''],
      ],
    );
    assert.equal(formatExecuteArguments(args), `0='abc',2,9=''`);
    for (const bad of [',', '0=', '0=a', "0='a", '0,', '10', '0,0', "a='b'", "0='a'b'"]) {
      assert.throws(() => parseExecuteArguments(bad), { code: 'LWM2M_BAD_REQUEST' }, bad);
    }
  });
});

describe('paths', () => {
  it('have one name each', () => {
    for (const text of ['/', '/3', '/3/0', '/3/0/7', '/3/0/7/1', '/65534/65534/65534/65534']) {
      assert.equal(path(text).toString(), text);
    }
    for (const bad of ['/03', '/3/', '//3', '/3/0/7/1/2', '/65535', '/-1', '/a', '/3/ 0']) {
      assert.equal(Lwm2mPath.tryParse(bad), undefined, bad);
    }
  });

  it('contain each other', () => {
    assert.ok(path('/').contains(path('/3/0/7')));
    assert.ok(path('/3/0').contains(path('/3/0/7/1')));
    assert.ok(!path('/3/0/7').contains(path('/3/0')));
    assert.ok(path('/3/0/7/1').parent.equals(path('/3/0/7')));
  });
});
