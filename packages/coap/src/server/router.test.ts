import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeText, findUint, stringOption } from '../codec/option.ts';
import { CODE, type CoapMethod, METHOD, OPTION } from '../constants.ts';
import { pushPath } from '../codec/option-list.ts';
import type { CoapOption } from '../codec/option.ts';
import type { CoapReply } from '../response.ts';
import { createRouter } from './router.ts';
import { ServedRequest } from './served-request.ts';

const peer = { key: 'a', address: '192.0.2.1', port: 1, identity: { kind: 'none' } } as const;
const EMPTY = new Uint8Array(0);

function request(method: CoapMethod, path: string, ...queries: readonly string[]): ServedRequest {
  const options: CoapOption[] = [];
  pushPath(options, OPTION.URI_PATH, path);
  for (const query of queries) options.push(stringOption(OPTION.URI_QUERY, query));
  const incoming = { peer, code: METHOD[method], token: EMPTY, options, payload: EMPTY, confirmable: true };
  return new ServedRequest(incoming, method, options);
}

const saying = (text: string) => (): CoapReply => ({ code: CODE.CONTENT, payload: text });

async function answer(reply: CoapReply | Promise<CoapReply>): Promise<string> {
  const { code, payload } = await reply;
  return code === CODE.CONTENT
    ? typeof payload === 'string'
      ? payload
      : decodeText(payload ?? EMPTY)
    : String(code);
}

test('literal segments win over parameters, those over the rest of the path', async () => {
  const { handler } = createRouter()
    .on('GET', '/a/b', saying('literal'))
    .on('GET', '/a/:x', (_request, { x = '' }) => ({ code: CODE.CONTENT, payload: `parameter ${x}` }))
    .on('GET', '/a/*', (_request, parameters) => ({
      code: CODE.CONTENT,
      payload: `rest ${parameters['*'] ?? ''}`,
    }))
    .on('GET', '/:x/b/c', (_request, { x = '' }) => ({ code: CODE.CONTENT, payload: `deep ${x}` }))
    .on('PATCH', '/', saying('root'));
  assert.equal(await answer(handler(request('GET', '/a/b'))), 'literal');
  assert.equal(await answer(handler(request('GET', '/a/z'))), 'parameter z');
  assert.equal(await answer(handler(request('GET', '/a/b/c'))), 'rest b/c');
  assert.equal(await answer(handler(request('GET', '/a'))), 'rest ');
  assert.equal(await answer(handler(request('GET', '/q/b/c'))), 'deep q');
  assert.equal(await answer(handler(request('PATCH', '/'))), 'root');
});

test('4.04 for an unknown path, 4.05 for an unknown method of a known one', async () => {
  const { handler } = createRouter().on('GET', '/a', saying('a')).on('iPATCH', '/a', saying('patched'));
  assert.equal(await answer(handler(request('GET', '/b'))), String(CODE.NOT_FOUND));
  assert.equal(await answer(handler(request('GET', '/a/b'))), String(CODE.NOT_FOUND));
  assert.equal(await answer(handler(request('PUT', '/a'))), String(CODE.METHOD_NOT_ALLOWED));
  assert.equal(await answer(handler(request('POST', '/.well-known/core'))), String(CODE.METHOD_NOT_ALLOWED));
  assert.equal(await answer(handler(request('iPATCH', '/a'))), 'patched');
});

test('lists what it serves, with attributes, without parameters and what is hidden', async () => {
  const router = createRouter()
    .on('GET', '/t', saying('t'), { attributes: [{ name: 'rt', value: 'temperature' }, { name: 'obs' }] })
    .on('GET', '/h', saying('h'), { listed: false })
    .on('GET', '/p/:x', saying('p'))
    .on('PUT', '/u', saying('u'));
  assert.equal(
    await answer(router.handler(request('GET', '/.well-known/core'))),
    '</t>;rt=temperature;obs,</u>',
  );
  assert.equal(
    await answer(router.handler(request('GET', '/.well-known/core', 'rt=temp*'))),
    '</t>;rt=temperature;obs',
  );
  const { options = [] } = await router.handler(request('GET', '/.well-known/core'));
  assert.equal(findUint(options, OPTION.CONTENT_FORMAT), 40);
});

test('refuses a second handler for the same pattern and method', () => {
  assert.throws(() => createRouter().on('GET', '/a', saying('1')).on('GET', 'a', saying('2')), {
    code: 'COAP_ARGUMENT_INVALID',
  });
});
