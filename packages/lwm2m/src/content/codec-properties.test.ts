import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import fc from 'fast-check';
import { createModelRegistry } from '../model/model-registry.ts';
import { parseOperations } from '../model/object-model.ts';
import type { ResourceModel } from '../model/object-model.ts';
import { omaModels } from '../model/oma-models.ts';
import { Lwm2mPath } from '../model/path.ts';
import type { Lwm2mValue, ResourceType } from '../model/value.ts';
import { decodeContent, encodeContent } from './codec.ts';
import { CONTENT_FORMAT } from './content-format.ts';
import type { ContentFormat } from './content-format.ts';
import type { Lwm2mEntry } from './entry.ts';

const models = omaModels();
const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);
const entry = (text: string, value: Lwm2mValue | null): Lwm2mEntry => ({ path: path(text), value });
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const DEVICE: readonly Lwm2mEntry[] = [
  entry('/3/0/0', 'ACME'),
  entry('/3/0/6/0', 1),
  entry('/3/0/6/1', 5),
  entry('/3/0/9', 100),
  entry('/3/0/13', 1_367_491_215),
];

describe('every format', () => {
  const TYPES: readonly ResourceType[] = [
    'string',
    'integer',
    'unsigned',
    'float',
    'boolean',
    'opaque',
    'time',
    'objlnk',
    'corelnk',
  ];
  /** Object 1000: resource 2i of type i single, 2i + 1 multiple. */
  const everyType = createModelRegistry([
    {
      id: 1000,
      name: 'Every Type',
      version: '1.0',
      multiple: true,
      mandatory: false,
      resources: new Map(
        TYPES.flatMap((type, i) =>
          [false, true].map((multiple): [number, ResourceModel] => {
            const id = 2 * i + (multiple ? 1 : 0);
            return [
              id,
              { id, name: type, type, multiple, operations: parseOperations('RW'), mandatory: false },
            ];
          }),
        ),
      ),
    },
  ]);
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(smallest);
  const id16 = fc.integer({ min: 0, max: 65_535 });
  const valueOf: Readonly<Record<ResourceType, fc.Arbitrary<Lwm2mValue>>> = {
    string: fc.string({ unit: 'grapheme' }),
    corelnk: fc.constant('</3>;ver="1.1"'),
    integer: fc.oneof(fc.integer(), int64),
    time: fc.integer(),
    unsigned: fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(smallest)),
    // JSON has no negative zero that survives as text.
    float: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
    boolean: fc.boolean(),
    opaque: fc.uint8Array({ maxLength: 300 }),
    objlnk: fc.tuple(id16, id16).map(([objectId, instanceId]) => ({ objectId, instanceId })),
    none: fc.constant(''),
  };
  const instance = fc
    .tuple(
      ...TYPES.map((type) =>
        fc.tuple(
          valueOf[type],
          fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 65_534 }), valueOf[type]), {
            minLength: 1,
            maxLength: 3,
            selector: ([id]) => id,
          }),
        ),
      ),
    )
    .map((values) =>
      values.flatMap(([single, multiple], i) => [
        entry(`/1000/5/${2 * i}`, single),
        ...multiple.map(([id, value]) => entry(`/1000/5/${2 * i + 1}/${id}`, value)),
      ]),
    );
  const hierarchical: readonly ContentFormat[] = [
    CONTENT_FORMAT.TLV,
    CONTENT_FORMAT.LWM2M_JSON,
    CONTENT_FORMAT.SENML_JSON,
    CONTENT_FORMAT.SENML_CBOR,
    CONTENT_FORMAT.LWM2M_CBOR,
  ];

  it('gives back what went in', () => {
    fc.assert(
      fc.property(instance, fc.constantFrom('/1000', '/1000/5'), (entries, base) => {
        for (const format of hierarchical) {
          const payload = encodeContent(format, path(base), entries, everyType);
          const back = decodeContent(format, path(base), payload, everyType);
          assert.deepEqual(sorted(back), sorted(entries), String(format));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('gives back single values', () => {
    fc.assert(
      fc.property(instance, (entries) => {
        for (const { path: at, value } of entries) {
          for (const format of [CONTENT_FORMAT.TEXT, CONTENT_FORMAT.CBOR] as const) {
            const payload = encodeContent(format, at, [{ path: at, value }], everyType);
            assert.deepEqual(decodeContent(format, at, payload, everyType), [{ path: at, value }]);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('throws nothing but its own error on truncated and on random bytes', () => {
    const attempt = (format: ContentFormat, base: string, bytes: Uint8Array): void => {
      try {
        decodeContent(format, path(base), bytes, models);
      } catch (error) {
        if (
          !isSefleetError(error, 'LWM2M_CONTENT_INVALID') &&
          !isSefleetError(error, 'LWM2M_FORMAT_UNSUPPORTED')
        )
          throw error;
      }
    };
    for (const format of hierarchical) {
      const payload = encodeContent(format, path('/3/0'), DEVICE, models);
      for (let end = 1; end < payload.length; end++) {
        attempt(format, '/3/0', payload.subarray(0, end));
        if (format !== CONTENT_FORMAT.TLV) {
          assert.throws(() => decodeContent(format, path('/3/0'), payload.subarray(0, end), models));
        }
      }
      assert.throws(() =>
        decodeContent(format, path('/3/0'), Buffer.concat([payload, Uint8Array.of(0x41)]), models),
      );
    }
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom('/', '/3', '/3/0', '/3/0/9', '/3/0/6/1'),
        (bytes, base) => {
          for (const format of Object.values(CONTENT_FORMAT)) attempt(format, base, bytes);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is bounded in depth', () => {
    const deep = new Uint8Array(20_000).fill(0x81);
    assert.throws(() => decodeContent(CONTENT_FORMAT.SENML_CBOR, Lwm2mPath.ROOT, deep, models), {
      code: 'LWM2M_CONTENT_INVALID',
    });
    const json = utf8('['.repeat(50_000) + '1234567890123456789');
    assert.throws(() => decodeContent(CONTENT_FORMAT.SENML_JSON, Lwm2mPath.ROOT, json, models), {
      code: 'LWM2M_CONTENT_INVALID',
    });
  });

  function sorted(entries: readonly Lwm2mEntry[]): readonly Lwm2mEntry[] {
    return entries.toSorted((a, b) => (a.path.toString() < b.path.toString() ? -1 : 1));
  }

  function smallest(value: bigint): number | bigint {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
});
