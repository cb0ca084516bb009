import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CODE } from '@sefleet/coap';
import type { CoapResponse } from '@sefleet/coap';
import {
  CONTENT_FORMAT,
  decodeContent,
  defineObject,
  encodeContent,
  Lwm2mPath,
  ObjectTree,
} from '@sefleet/lwm2m';
import type { Lwm2mEntry } from '@sefleet/lwm2m';
import { models, World } from './client-world.test.ts';

const { SENML_CBOR, LWM2M_CBOR } = CONTENT_FORMAT;
const { ROOT } = Lwm2mPath;
const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);
const TEMPERATURE = path('/3303/0/5700');
const own = (value: number | null): Lwm2mEntry => ({ path: TEMPERATURE, value });
const behind = (value: number | null, prefix = 'd1'): Lwm2mEntry => ({ path: TEMPERATURE, value, prefix });

async function gateway(): Promise<{ world: World; sensor: ObjectTree }> {
  const world = new World().withAccounts();
  await world.run(world.client.start());
  const sensor = new ObjectTree([defineObject(models, 3303)], undefined, models);
  sensor.require(3303).add(0, [
    [5700, 36.6],
    [5750, 'thermometer'],
  ]);
  world.client.attachEndDevice('thermometer-1', 'd1', sensor);
  return { world, sensor };
}

function composite(
  world: World,
  method: 'FETCH' | 'iPATCH',
  entries: readonly Lwm2mEntry[],
): Promise<CoapResponse> {
  const payload = encodeContent(SENML_CBOR, ROOT, entries, models);
  return world.ask({ method, path: [], payload, contentFormat: SENML_CBOR, accept: SENML_CBOR });
}

describe('payloads of a gateway', () => {
  it('name the end device in answers for it', async () => {
    const { world } = await gateway();
    for (const accept of [SENML_CBOR, LWM2M_CBOR]) {
      const answer = await world.ask({ method: 'GET', path: '/d1/3303/0/5700', accept });
      const prefix = 'd1';
      assert.deepEqual(decodeContent(accept, TEMPERATURE, answer.payload, models, { prefix }), [own(36.6)]);
      assert.match(Buffer.from(answer.payload).toString('latin1'), /d1/);
    }
  });

  it('are read from several devices at once, without what nobody has', async () => {
    const { world } = await gateway();
    const answer = await composite(world, 'FETCH', [own(null), behind(null), behind(null, 'd9')]);
    assert.equal(answer.code, CODE.CONTENT);
    assert.deepEqual(decodeContent(SENML_CBOR, ROOT, answer.payload, models), [own(20.5), behind(36.6)]);
    assert.equal((await composite(world, 'FETCH', [behind(null, 'd9')])).code, CODE.NOT_FOUND);
  });

  it('are written to several devices at once, or to none', async () => {
    const { world, sensor } = await gateway();
    const name = path('/3303/0/5750');
    const written = [
      { path: name, value: 'here' },
      { path: name, value: 'there', prefix: 'd1' },
    ];
    assert.equal((await composite(world, 'iPATCH', written)).code, CODE.CHANGED);
    assert.equal(world.tree.instance(3303, 0)?.get(5750), 'here');
    assert.equal(sensor.instance(3303, 0)?.get(5750), 'there');
    const refused = await composite(world, 'iPATCH', [{ path: name, value: 'again' }, behind(1)]);
    assert.equal(refused.code, CODE.METHOD_NOT_ALLOWED);
    assert.equal(world.tree.instance(3303, 0)?.get(5750), 'here');
    const nobody = await composite(world, 'iPATCH', [{ path: name, value: 'x', prefix: 'd9' }]);
    assert.equal(nobody.code, CODE.NOT_FOUND);
  });

  it('notify of a change behind the gateway', async () => {
    const { world, sensor } = await gateway();
    const payload = encodeContent(SENML_CBOR, ROOT, [own(null), behind(null)], models);
    const fetch = { method: 'FETCH', path: [], payload, contentFormat: SENML_CBOR } as const;
    const seen: (readonly Lwm2mEntry[])[] = [];
    assert.ok(world.device);
    await world.run(
      world.server.observe(world.device, fetch, (answer) =>
        seen.push(decodeContent(SENML_CBOR, ROOT, answer.payload, models)),
      ),
    );
    sensor.instance(3303, 0)?.set(5700, 38.5);
    await world.runtime.advance(100);
    assert.deepEqual(seen, [[own(20.5), behind(38.5)]]);
  });

  it('are sent for the end device', async () => {
    const { world } = await gateway();
    await world.run(world.client.send([behind(37.25)]));
    const sent = world.requests.at(-1);
    assert.equal(sent?.path, '/dp');
    assert.deepEqual(decodeContent(SENML_CBOR, ROOT, sent.payload, models), [behind(37.25)]);
  });

  it('leave the attributes of one device alone when they are written to another', async () => {
    const { world } = await gateway();
    const put = { method: 'PUT', path: '/d1/3303/0/5700', query: ['pmin=7'] } as const;
    assert.equal((await world.ask(put)).code, CODE.CHANGED);
    const discover = (at: string): Promise<CoapResponse> =>
      world.ask({ method: 'GET', path: at, accept: CONTENT_FORMAT.LINK });
    assert.match((await discover('/d1/3303/0/5700')).text(), /pmin=7/);
    assert.doesNotMatch((await discover('/3303/0/5700')).text(), /pmin/);
  });
});
