import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
import coap from 'coap';
import { freePort } from '../dtls/programs.ts';
import { LARGE, startOurClient, startOurServer } from './our-side.ts';

type Outgoing = ReturnType<typeof coap.request>;

/** The whole response, as node-coap's streams give it. */
async function answer(
  request: Outgoing,
  body?: string,
): Promise<{ readonly code: string; readonly payload: string }> {
  request.end(body);
  const [response] = (await once(request, 'response')) as [{ code: string; payload: Buffer }]; // node-coap's event
  return { code: response.code, payload: response.payload.toString() };
}

describe('node-coap as a client of our server', { concurrency: 4 }, () => {
  test('gets, puts and gets large bodies', async (t) => {
    const { port } = await startOurServer(t);
    const agent = new coap.Agent({ type: 'udp4' });
    t.after(() => void agent.close());
    const request = (method: 'GET' | 'PUT' | 'POST', pathname: string) =>
      coap.request({ host: '127.0.0.1', port, method, pathname, agent });
    assert.deepEqual(await answer(request('GET', '/hello')), { code: '2.05', payload: 'hello from sefleet' });
    assert.deepEqual(await answer(request('GET', '/slow')), { code: '2.05', payload: 'slow but sure' });
    assert.deepEqual(await answer(request('GET', '/large')), { code: '2.05', payload: LARGE });
    const put = request('PUT', '/store');
    // node-coap cuts a body when it is told the size: 16 << 2.
    put.setOption('Block1', Buffer.of(2));
    assert.equal((await answer(put, LARGE)).code, '2.04');
    assert.equal((await answer(request('GET', '/store'))).payload, LARGE);
    assert.equal((await answer(request('GET', '/nowhere'))).code, '4.04');
  });

  test('observes', async (t) => {
    const { port } = await startOurServer(t);
    const agent = new coap.Agent({ type: 'udp4' });
    t.after(() => void agent.close());
    const request = coap.request({ host: '127.0.0.1', port, pathname: '/ticks', observe: true, agent });
    request.end();
    const [response] = await once(request, 'response');
    const seen = new Set<string>();
    for await (const chunk of response) {
      seen.add(String(chunk));
      if (seen.size === 4) break;
    }
    response.close();
    assert.equal(seen.size, 4);
  });
});

describe('our client with node-coap as the server', { concurrency: 4 }, () => {
  async function startNodeCoap(t: TestContext): Promise<number> {
    const port = await freePort();
    const server = coap.createServer((request, response) => {
      if (request.headers['Observe'] === 0) {
        let ticks = 0;
        const clock = setInterval(() => response.write(`tick ${++ticks}`), 50);
        response.on('finish', () => clearInterval(clock));
        t.after(() => clearInterval(clock));
        response.write('tick 0');
        return;
      }
      if (request.url === '/large') response.end(LARGE);
      else response.end(`${request.method} ${request.url} ${request.payload.length}`);
    });
    await new Promise<void>((resolve) => {
      server.listen(port, '127.0.0.1', () => resolve());
    });
    t.after(() => void server.close());
    return port;
  }

  test('gets, puts and gets large bodies', async (t) => {
    const { endpoint, peer } = await startOurClient(t, await startNodeCoap(t));
    const plain = await endpoint.request(peer, { method: 'GET', path: '/a/b', query: ['c=1'] });
    assert.equal(plain.text(), 'GET /a/b?c=1 0');
    assert.equal((await endpoint.request(peer, { method: 'GET', path: '/large' })).text(), LARGE);
    // One block: node-coap's server tells bodies apart by their token, which RFC 9175 §4.2 wants fresh in
    // each request.
    const put = await endpoint.request(peer, { method: 'PUT', path: '/up', payload: LARGE.slice(0, 1000) });
    assert.equal(put.text(), 'PUT /up 1000');
    const non = await endpoint.request(peer, { method: 'GET', path: '/non', confirmable: false });
    assert.equal(non.text(), 'GET /non 0');
  });

  test('observes', async (t) => {
    const { endpoint, peer } = await startOurClient(t, await startNodeCoap(t));
    const seen: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const observation = await endpoint.observe(peer, { method: 'GET', path: '/ticks' }, (response) => {
      if (seen.push(response.text()) === 4) resolve();
    });
    assert.equal(observation.first.text(), 'tick 0');
    await promise;
    assert.equal(new Set(seen).size, 4);
    await observation.cancel('forget');
  });
});
