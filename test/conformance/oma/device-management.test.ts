/** OMA enabler test cases LightweightM2M-1.1-int-201 to int-281: device management. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CODE } from '@sefleet/coap';
import { CONTENT_FORMAT, decodeContent, Lwm2mPath } from '@sefleet/lwm2m';
import type { ContentFormat } from '@sefleet/lwm2m';
import { entry, models, OmaWorld, path } from './oma-world.ts';

const { TEXT, LINK, CBOR, TLV, LWM2M_JSON, SENML_JSON, SENML_CBOR, SENML_ETCH_CBOR } = CONTENT_FORMAT;
/** Resources 0 to 3 of the Device object as the test suite has them. */
const BASICS = ['Open Mobile Alliance', 'Lightweight M2M Client', '345000123', '1.0'];

async function readBasics(accept: ContentFormat): Promise<void> {
  const world = await OmaWorld.registered();
  for (const [id, value] of BASICS.entries()) {
    const answer = await world.run(world.first.device.read(path(`/3/0/${id}`), accept));
    assert.equal(answer.code, CODE.CONTENT);
    assert.equal(answer.contentFormat, accept);
    assert.deepEqual(answer.entries, [entry(`/3/0/${id}`, value)]);
  }
}

/** Lifetime and notification storing, written in `format` and read back. */
async function writeBasics(format: ContentFormat): Promise<void> {
  const world = await OmaWorld.registered();
  for (const item of [entry('/1/0/1', 900), entry('/1/0/6', false), entry('/1/0/2', 5)]) {
    const at = item.path.toString();
    const answer = await world.first.raw({
      method: 'PUT',
      path: at,
      ...world.first.body(format, at, [item]),
    });
    assert.equal(answer.code, CODE.CHANGED, at);
    assert.deepEqual((await world.run(world.first.device.read(item.path))).entries, [item]);
  }
}

it('int-201 Querying basic information in Plain Text format', () => readBasics(TEXT));
it('int-203 Querying basic information in TLV format', () => readBasics(TLV));
it('int-204 Querying basic information in JSON format', () => readBasics(LWM2M_JSON));
it('int-205 Setting basic information in Plain Text format', () => writeBasics(TEXT));
it('int-211 Querying basic information in CBOR format', () => readBasics(CBOR));
it('int-212 Setting basic information in CBOR format', () => writeBasics(CBOR));
it('int-215 Setting basic information in TLV format', () => writeBasics(TLV));
it('int-220 Setting basic information in JSON format', () => writeBasics(LWM2M_JSON));
it('int-231 Querying basic information in SenML JSON format', () => readBasics(SENML_JSON));
it('int-232 Querying basic information in SenML CBOR format', () => readBasics(SENML_CBOR));
it('int-233 Setting basic information in SenML CBOR format', () => writeBasics(SENML_CBOR));
it('int-234 Setting basic information in SenML JSON format', () => writeBasics(SENML_JSON));

it('int-221 Attempt to perform operations on Security', async () => {
  const world = await OmaWorld.registered();
  const { device } = world.first;
  assert.equal((await world.run(device.read(path('/0/1/0')))).code, CODE.UNAUTHORIZED);
  assert.equal((await world.run(device.read(path('/0')))).code, CODE.UNAUTHORIZED);
  const write = await world.run(device.write(path('/0/1/0'), [entry('/0/1/0', 'coap://evil')], 'replace'));
  assert.equal(write.code, CODE.UNAUTHORIZED);
  assert.equal(
    (await world.run(device.writeAttributes(path('/0/1/0'), { pmin: 10 }))).code,
    CODE.UNAUTHORIZED,
  );
  assert.equal((await world.run(device.discover(path('/0/1')))).code, CODE.UNAUTHORIZED);
  assert.equal(world.tree.instance(0, 1)?.get(0), 'coap://10.0.1.1:5683');
});

it('int-222 Read on Object', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(world.first.device.read(path('/1')));
  assert.equal(answer.code, CODE.CONTENT);
  assert.ok(answer.entries.some((item) => item.path.equals(path('/1/0/1')) && item.value === 300));
});

it('int-223 Read on Object Instance', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(world.first.device.read(path('/3/0')));
  const values = answer.entries.filter((item) => (item.path.resourceId ?? 9) < 4).map(({ value }) => value);
  assert.deepEqual(values, BASICS);
});

it('int-224 Read on Resource', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(world.first.device.read(path('/3/0/7')));
  assert.deepEqual(answer.entries, [entry('/3/0/7/0', 3800), entry('/3/0/7/1', 5000)]);
});

it('int-225 Read on Resource Instance', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(world.first.device.read(path('/3/0/7/1')));
  assert.deepEqual(answer.entries, [entry('/3/0/7/1', 5000)]);
  assert.equal((await world.run(world.first.device.read(path('/3/0/7/9')))).code, CODE.NOT_FOUND);
});

it('int-226 Write (Partial Update) on Object Instance', async () => {
  const world = await OmaWorld.registered();
  const both = [entry('/1/0/2', 7), entry('/1/0/3', 70)];
  assert.equal((await world.run(world.first.device.write(path('/1/0'), both, 'update'))).code, CODE.CHANGED);
  const answer = await world.run(world.first.device.read(path('/1/0')));
  const values = new Map(answer.entries.map((item) => [item.path.resourceId, item.value]));
  assert.deepEqual([values.get(0), values.get(1), values.get(2), values.get(3)], [101, 300, 7, 70]);
});

it('int-227 Write (Replace) on Resource', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(
    world.first.device.write(path('/3/0/14'), [entry('/3/0/14', '+05:00')], 'replace'),
  );
  assert.equal(answer.code, CODE.CHANGED);
  assert.equal(world.tree.instance(3, 0)?.get(14), '+05:00');
});

it('int-228 Write on Resource Instance', async () => {
  const world = await OmaWorld.registered();
  world.tree.require(19).add(0, [
    [
      0,
      new Map([
        [0, Uint8Array.of(1)],
        [1, Uint8Array.of(2)],
      ]),
    ],
  ]);
  const written = entry('/19/0/0/1', Uint8Array.of(9));
  const answer = await world.run(world.first.device.write(written.path, [written], 'replace'));
  assert.equal(answer.code, CODE.CHANGED);
  const read = await world.run(world.first.device.read(path('/19/0/0')));
  assert.deepEqual(read.entries, [entry('/19/0/0/0', Uint8Array.of(1)), written]);
});

it('int-229 Read-Composite Operation', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(
    world.first.device.readComposite([path('/3/0/0'), path('/1/0/1'), path('/3/0/11')]),
  );
  assert.deepEqual(answer.entries, [
    entry('/3/0/0', BASICS[0] ?? ''),
    entry('/1/0/1', 300),
    entry('/3/0/11/0', 0),
  ]);
});

it('int-230 Write-Composite Operation', async () => {
  const world = await OmaWorld.registered();
  const values = [entry('/3/0/14', '+03:00'), entry('/1/0/2', 3)];
  assert.equal((await world.run(world.first.device.writeComposite(values))).code, CODE.CHANGED);
  assert.equal(world.tree.instance(3, 0)?.get(14), '+03:00');
  assert.equal(world.tree.instance(1, 0)?.get(2), 3);
});

it('int-235 Read-Composite Operation on root path', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(world.first.device.readComposite([Lwm2mPath.ROOT]));
  assert.equal(answer.code, CODE.CONTENT);
  const objects = new Set(answer.entries.map((item) => item.path.objectId));
  assert.ok(objects.has(1) && objects.has(3) && objects.has(3303) && !objects.has(0));
});

it('int-236 Read-Composite - Partial Presence', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(
    world.first.device.readComposite([path('/1/0/1'), path('/3/0/11/0'), path('/3303/99/5700')]),
  );
  assert.deepEqual(answer.entries, [entry('/1/0/1', 300), entry('/3/0/11/0', 0)]);
});

it('int-237 Read on Object without specifying Content-Type', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.first.raw({ method: 'GET', path: '/3' });
  assert.equal(answer.code, CODE.CONTENT);
  assert.equal(answer.contentFormat, SENML_CBOR);
  assert.ok(decodeContent(SENML_CBOR, path('/3'), answer.payload, models).length > 10);
});

it('int-241 Executable Resource: Rebooting the device', async () => {
  const world = await OmaWorld.registered();
  assert.equal((await world.run(world.first.device.execute(path('/3/0/4')))).code, CODE.CHANGED);
  assert.equal(world.reboots, 1);
  await world.run(world.client.powerOff());
  await world.run(world.client.start());
  assert.equal(world.first.log.length, 2);
});

it('int-256 Write Operation Failure', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(world.first.device.write(path('/3/0/0'), [entry('/3/0/0', 'x')], 'replace'));
  assert.equal(answer.code, CODE.METHOD_NOT_ALLOWED);
  assert.equal(world.tree.instance(3, 0)?.get(0), BASICS[0]);
});

it('int-257 Write-Composite Operation: all or nothing', async () => {
  const world = await OmaWorld.registered();
  const values = [entry('/3/0/14', '+03:00'), entry('/3/0/0', 'x')];
  assert.equal((await world.run(world.first.device.writeComposite(values))).code, CODE.METHOD_NOT_ALLOWED);
  assert.equal(world.tree.instance(3, 0)?.get(14), '+02:00');
});

it('int-260 Discover Command', async () => {
  const world = await OmaWorld.registered();
  const object = await world.run(world.first.device.discover(path('/3')));
  assert.match(object.linkFormat, /^<\/3>;ver=1\.2,<\/3\/0>,<\/3\/0\/0>,<\/3\/0\/1>/);
  assert.match(object.linkFormat, /<\/3\/0\/4>/);
  await world.run(world.first.device.writeAttributes(path('/3'), { pmin: 10, pmax: 200 }));
  await world.run(world.first.device.writeAttributes(path('/3/0/7'), { lt: 1, gt: 6, st: 1 }));
  const again = await world.run(world.first.device.discover(path('/3')));
  assert.match(again.linkFormat, /^<\/3>;ver=1\.2;pmin=10;pmax=200/);
  assert.match(again.linkFormat, /<\/3\/0\/7>;dim=2;lt=1;gt=6;st=1/);
  const resource = await world.run(world.first.device.discover(path('/3/0/7')));
  assert.equal(resource.linkFormat, '</3/0/7>;dim=2;pmin=10;pmax=200;lt=1;gt=6;st=1,</3/0/7/0>,</3/0/7/1>');
  assert.equal((await world.first.raw({ method: 'GET', path: '/77', accept: LINK })).code, CODE.NOT_FOUND);
});

it('int-261 Write-Attribute Operation on a multiple resource', async () => {
  const world = await OmaWorld.registered();
  assert.equal(
    (await world.run(world.first.device.writeAttributes(path('/3/0/11'), { pmin: 2 }))).code,
    CODE.CHANGED,
  );
  assert.equal(
    (await world.run(world.first.device.writeAttributes(path('/3/0/11/0'), { pmax: 9 }))).code,
    CODE.CHANGED,
  );
  const discovered = await world.run(world.first.device.discover(path('/3/0/11')));
  assert.equal(discovered.linkFormat, '</3/0/11>;dim=1;pmin=2,</3/0/11/0>;pmax=9');
});

it('int-280 Successful Read-Composite Operation', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(
    world.first.device.readComposite([path('/3/0/16'), path('/3/0/11/0'), path('/1/0')]),
  );
  assert.equal(answer.code, CODE.CONTENT);
  assert.ok(answer.entries.some((item) => item.path.equals(path('/1/0/7')) && item.value === 'U'));
});

it('int-281 Partially Successful Read-Composite Operation', async () => {
  const world = await OmaWorld.registered();
  const answer = await world.run(
    world.first.device.readComposite([path('/3/0/16'), path('/3/0/4'), path('/0/1/0')]),
  );
  assert.deepEqual(answer.entries, [entry('/3/0/16', 'U')]);
});

it('removes a resource instance with a SenML-ETCH null (Core 1.1 §6.3.3.2)', async () => {
  const world = await OmaWorld.registered();
  world.tree.require(19).add(0, [
    [
      0,
      new Map([
        [0, Uint8Array.of(1)],
        [1, Uint8Array.of(2)],
      ]),
    ],
  ]);
  const answer = await world.run(
    world.first.device.writeComposite([{ path: path('/19/0/0/1'), value: null }, entry('/3/0/14', '+04:00')]),
  );
  assert.equal(answer.code, CODE.CHANGED);
  assert.deepEqual(world.tree.instance(19, 0)?.get(0), new Map([[0, Uint8Array.of(1)]]));
  assert.equal(SENML_ETCH_CBOR, 322);
});
