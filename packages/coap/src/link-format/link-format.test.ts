import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import fc from 'fast-check';
import { formatLinkFormat, type Link, linkAttribute, linkMatches, parseLinkFormat } from './link-format.ts';

/** RFC 6690 §5. */
const RFC_EXAMPLE =
  '</sensors>;ct=40;title="Sensor Index",</sensors/temp>;rt="temperature-c";if="sensor",' +
  '</sensors/light>;rt="light-lux core.sen-light";if="sensor",' +
  '<http://www.example.com/sensors/t123>;anchor="/sensors/temp";rel="describedby",' +
  '</t>;anchor="/sensors/temp";rel="alternate"';

test('reads the example of RFC 6690 and writes it back as it was', () => {
  const links = parseLinkFormat(RFC_EXAMPLE);
  assert.equal(links.length, 5);
  assert.deepEqual(links[0]?.attributes[0], { name: 'ct', value: '40', quoted: false });
  assert.equal(formatLinkFormat(links), RFC_EXAMPLE);
});

test('reads what an LwM2M client registers', () => {
  const links = parseLinkFormat(
    '</>;rt="oma.lwm2m";ct="60 110 112 11542 11543",</1/0>;ver=1.1,</5>,</3/0>;pmin=10',
  );
  assert.deepEqual(
    links.map(({ target }) => target),
    ['/', '/1/0', '/5', '/3/0'],
  );
  assert.equal(linkAttribute(links[1] ?? { target: '', attributes: [] }, 'ver'), '1.1');
});

test('filters by attribute, by one of several values, by prefix and by target', () => {
  const links = parseLinkFormat(RFC_EXAMPLE);
  const targets = (query: string) =>
    links.filter((link) => linkMatches(link, query)).map(({ target }) => target);
  assert.deepEqual(targets('rt=light-lux'), ['/sensors/light']);
  assert.deepEqual(targets('rt=core.sen-light'), ['/sensors/light']);
  assert.deepEqual(targets('rt=temp*'), ['/sensors/temp']);
  assert.deepEqual(targets('href=/sensors*'), ['/sensors', '/sensors/temp', '/sensors/light']);
  assert.deepEqual(targets('title=Sensor*'), ['/sensors']);
  assert.deepEqual(targets('foo=bar'), []);
});

for (const bad of [
  'x',
  '<',
  '</a',
  '</a>;',
  '</a>;=1',
  '</a>;b=',
  '</a>;b="',
  '</a>;b="\\',
  '</a>,',
  '</a></b>',
]) {
  test(`refuses ${JSON.stringify(bad)}`, () => {
    assert.throws(() => parseLinkFormat(bad), { code: 'COAP_LINK_FORMAT' });
  });
}

const link = fc
  .record({
    target: fc.stringMatching(/^\/[a-z0-9/]{0,10}$/),
    attributes: fc.array(
      fc.record({
        name: fc.stringMatching(/^[a-z]{1,5}\*?$/),
        value: fc.option(fc.string(), { nil: undefined }),
      }),
      { maxLength: 4 },
    ),
  })
  .map((l): Link => l);

test('what it writes it reads', () => {
  fc.assert(
    fc.property(fc.array(link, { maxLength: 5 }), (links) => {
      const read = parseLinkFormat(formatLinkFormat(links));
      const values = (all: readonly Link[]) =>
        all.map(({ target, attributes }) => [target, attributes.map(({ name, value }) => [name, value])]);
      assert.deepEqual(values(read), values(links));
    }),
  );
});

test('any text gives links or its own error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[<>;,="\\/a ]{0,20}$/)), (text) => {
      try {
        parseLinkFormat(text);
      } catch (error) {
        assert.ok(isSefleetError(error, 'COAP_LINK_FORMAT'));
      }
    }),
    { numRuns: 1000 },
  );
});
