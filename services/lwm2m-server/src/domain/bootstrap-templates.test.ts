import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lwm2mPath, omaModels } from '@sefleet/lwm2m';
import type { BootstrapConfiguration } from '@sefleet/lwm2m-coap';
import { parseBootstrapTemplates, withTemplates } from './bootstrap-templates.ts';

const models = omaModels();
const FILE = JSON.stringify({
  templates: [
    { senml: [{ n: '/1/1/2', v: 5 }] },
    {
      kinds: ['smart-meter'],
      deletes: ['/9'],
      senml: [
        { bn: '/1/1/', n: '1', v: 60 },
        { n: '2', v: 10 },
      ],
    },
    { endpoints: ['urn:dev:sefleet:meter-7*'], senml: [{ n: '/3/0/15', vs: 'Europe/Oslo' }] },
  ],
});
const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);
const ACCOUNT: BootstrapConfiguration = {
  deletes: [path('/0')],
  writes: [
    { path: path('/0/1'), entries: [{ path: path('/0/1/0'), value: 'coaps://server' }] },
    {
      path: path('/1/1'),
      entries: [
        { path: path('/1/1/0'), value: 101 },
        { path: path('/1/1/1'), value: 300 },
      ],
    },
  ],
};

function valuesFor(endpoint: string, kind: string): Record<string, unknown> {
  const { writes } = withTemplates(ACCOUNT, { endpoint, kind }, parseBootstrapTemplates(FILE, models));
  const entries = writes.flatMap((write) => write.entries);
  return Object.fromEntries(entries.map((entry) => [entry.path.toString(), entry.value]));
}

test('applies every template that fits, later ones over earlier ones and over the account', () => {
  assert.deepEqual(valuesFor('urn:dev:sefleet:obu-1', 'obu'), {
    '/0/1/0': 'coaps://server',
    '/1/1/0': 101,
    '/1/1/1': 300,
    '/1/1/2': 5,
  });
  assert.deepEqual(valuesFor('urn:dev:sefleet:meter-71', 'smart-meter'), {
    '/0/1/0': 'coaps://server',
    '/1/1/0': 101,
    '/1/1/1': 60,
    '/1/1/2': 10,
    '/3/0/15': 'Europe/Oslo',
  });
});

test('adds deletes and writes whole instances', () => {
  const device = { endpoint: 'urn:dev:sefleet:meter-7', kind: 'smart-meter' };
  const { deletes, writes } = withTemplates(ACCOUNT, device, parseBootstrapTemplates(FILE, models));
  assert.deepEqual(deletes.map(String), ['/0', '/9']);
  assert.deepEqual(
    writes.map((write) => write.path.toString()),
    ['/0/1', '/1/1', '/3/0'],
  );
});

test('names the place of a mistake', () => {
  const mistakes: readonly [string, RegExp][] = [
    ['x', /not JSON/],
    ['{"template":[]}', /the file\.template is not known/],
    ['{"templates":[{"kind":"obu"}]}', /templates\[0\]\.kind is not known/],
    ['{"templates":[{"deletes":["9"]},{"deletes":["/x"]}]}', /templates\[1\]\.deletes has an item/],
    ['{"templates":[{"senml":[{"n":"/1/1/1","vs":"x"}]}]}', /templates\[0\]\.senml/],
  ];
  for (const [text, message] of mistakes) {
    assert.throws(() => parseBootstrapTemplates(text, models), {
      code: 'LWM2M_TEMPLATE_FILE_INVALID',
      message,
    });
  }
});
