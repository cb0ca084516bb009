import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { common, parties } from '@sefleet/api';
import { decodeSealedRecord, deriveRecordKey, openTelemetryRecord } from '@sefleet/cose';
import { RecordsClient } from '@sefleet/secure-element';
import { CARD_PLANS } from '../domain/card-plan.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import { PARTY_ROLES, partyId } from '../domain/party.ts';
import { createPartiesBench, type PartyClients } from '../testing/parties-bench.ts';

type Bench = Awaited<ReturnType<typeof createPartiesBench>>;

const DAY_MS = 86_400_000;
const FORBIDDEN = { code: 'PROVISIONING_FORBIDDEN' };
const { KeyAction } = parties;

async function openBench(t: TestContext, keyDays?: number): Promise<Bench> {
  const bench = await createPartiesBench(keyDays);
  t.after(() => bench.close());
  return bench;
}

/** The clients of a party, with a certificate over a key that it made. */
async function callAs(bench: Bench, party: string): Promise<PartyClients> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const { certificatePem } = await bench.operator.parties.issueCertificate({ party, publicKey: spki });
  return bench.clientsOf(certificatePem, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

async function finished({ store }: Bench, rotationId: string) {
  for (;;) {
    const progress = await store.rotation(rotationId);
    if (progress?.done === true) return progress;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the registry of parties', () => {
  it('knows all ten roles of a device, by contract or by what is on its card', async (t) => {
    const bench = await openBench(t);
    await bench.make([
      { endpoint: 'm', kind: 'smart-meter' },
      { endpoint: 'o', kind: 'obu' },
      { endpoint: 'r', kind: 'rpm-gateway' },
    ]);
    for (const endpoint of ['m', 'o', 'r']) {
      const { roles } = await bench.operator.parties.getDeviceRoles({ endpoint });
      deepEqual(new Set(roles.map(({ role }) => role)), new Set(PARTY_ROLES), endpoint);
      ok(roles.every(({ privileges, by }) => privileges.length > 0 && by !== ''));
    }
    const { roles } = await bench.operator.parties.getDeviceRoles({ endpoint: 'm' });
    const providers = roles.filter(({ role }) => role === 'service-provider').map(({ party }) => party);
    deepEqual(providers, ['northern-power']);
    await rejects(bench.operator.parties.getDeviceRoles({ endpoint: 'ghost' }), {
      code: 'PROVISIONING_DEVICE_NOT_FOUND',
    });
  });

  it('admits a party once, gives it a number and a vault of its own', async (t) => {
    const bench = await openBench(t);
    const order = { name: 'moonlight-power', title: 'Moonlight', roles: ['service-provider'] };
    const { party } = await bench.operator.parties.addParty(order);
    deepEqual((await bench.operator.parties.addParty(order)).party, party);
    ok((party?.number ?? 0) >= 0x40);
    const moonlight = await callAs(bench, 'moonlight-power');
    deepEqual((await moonlight.keys.listKeys({})).keys, []);
    await rejects(bench.operator.parties.addParty({ ...order, roles: ['tsm'] }), {
      code: 'PROVISIONING_PARTY_EXISTS',
    });
    for (const bad of [
      { ...order, name: 'Moon Light' },
      { ...order, name: 'a'.repeat(25) },
      { ...order, name: 'analytics' },
      { ...order, name: 'x1', roles: [] },
      { ...order, name: 'x2', roles: ['king'] },
    ]) {
      await rejects(bench.operator.parties.addParty(bad), { code: 'PROVISIONING_REQUEST_INVALID' }, bad.name);
    }
    await bench.make([{ endpoint: 'a-meter', kind: 'smart-meter' }]);
    await rejects(bench.operator.parties.addParty({ ...order, name: 'a-meter' }), {
      code: 'PROVISIONING_PARTY_EXISTS',
      message: /a device is called/,
    });
    const { parties: all } = await moonlight.parties.listParties({});
    equal(all.filter(({ number }) => number === party?.number).length, 1);
  });

  it('gives parties that come at once a number each, and one that comes twice the same', async (t) => {
    const { operator } = await openBench(t);
    const names = ['crowd-a', 'crowd-b', 'crowd-a', 'crowd-c'];
    const added = await Promise.all(
      names.map((name) => operator.parties.addParty({ name, roles: ['service-provider'] })),
    );
    const numbers = added.map(({ party }) => party?.number);
    equal(new Set(numbers).size, 3);
    equal(numbers[0], numbers[2]);
  });

  it('keeps contracts with an end: who holds a role follows the service clock', async (t) => {
    const bench = await openBench(t);
    await bench.make([{ endpoint: 'o', kind: 'obu' }]);
    const now = Date.now();
    const at = (ms: number) => ({ seconds: BigInt(Math.round(ms / 1000)), nanos: 0 });
    const contract = {
      contractId: 'policy 1',
      party: 'beacon-insurance',
      role: 'service-provider',
      endpoint: 'o',
      validFrom: at(now - 1000),
      validUntil: at(now + DAY_MS),
      reference: 'pay how you drive',
    };
    await bench.operator.parties.addContract({ contract });
    await bench.operator.parties.addContract({ contract });
    const holds = async (): Promise<boolean> => {
      const { roles } = await bench.operator.parties.getDeviceRoles({ endpoint: 'o' });
      return roles.some(({ by }) => by === 'policy 1');
    };
    equal(await holds(), true);
    bench.clock.advance(now + 2 * DAY_MS);
    equal(await holds(), false);
    for (const [change, code] of [
      [{ party: 'corner-garage' }, 'PROVISIONING_CONTRACT_CONFLICT'],
      [{ role: 'tsm', contractId: 'x' }, 'PROVISIONING_CONTRACT_CONFLICT'],
      [{ endpoint: 'ghost', contractId: 'x' }, 'PROVISIONING_DEVICE_NOT_FOUND'],
      [{ contractId: '' }, 'PROVISIONING_REQUEST_INVALID'],
      [{ validUntil: at(now - DAY_MS), contractId: 'x' }, 'PROVISIONING_REQUEST_INVALID'],
      [{ kind: common.DeviceKind.OBU, contractId: 'x' }, 'PROVISIONING_REQUEST_INVALID'],
    ] as const) {
      await rejects(bench.operator.parties.addContract({ contract: { ...contract, ...change } }), { code });
    }
  });

  it('ends a contract before its time, also one of the founding ones', async (t) => {
    const bench = await openBench(t);
    await bench.make([{ endpoint: 'm', kind: 'smart-meter' }]);
    const contractId = 'founding smart-meter service-subscriber';
    await bench.operator.parties.endContract({ contractId, reason: 'moved out' });
    const { roles } = await bench.operator.parties.getDeviceRoles({ endpoint: 'm' });
    ok(!roles.some(({ role }) => role === 'service-subscriber'));
    const { contracts } = await bench.operator.parties.listContracts({ party: 'household' });
    deepEqual(
      contracts.map(({ endedBecause }) => endedBecause),
      ['moved out'],
    );
    await rejects(bench.operator.parties.endContract({ contractId: 'none', reason: 'x' }), {
      code: 'PROVISIONING_CONTRACT_NOT_FOUND',
    });
  });
});

describe("a party's certificate", () => {
  it("reaches the party's own keys and no others, and every refusal is on record", async (t) => {
    const bench = await openBench(t);
    await bench.make([{ endpoint: 'm', kind: 'smart-meter' }]);
    const northern = await callAs(bench, 'northern-power');
    const { keys } = await northern.keys.listKeys({});
    deepEqual(
      keys.map(({ party, purpose, version, state }) => [party, purpose, version, state]),
      [
        ['northern-power', 'domain', 1, 'active'],
        ['northern-power', 'psk', 1, 'active'],
        ['northern-power', 'record', 1, 'active'],
      ],
    );
    const foreign = { party: 'city-grid', purpose: 'domain', version: 1 };
    const action = { ...foreign, action: KeyAction.REVOKE, reason: 'mischief' };
    await rejects(northern.keys.listKeys({ party: 'city-grid' }), FORBIDDEN);
    await rejects(northern.keys.getKeyHistory(foreign), FORBIDDEN);
    await rejects(northern.keys.changeKeyState(action), FORBIDDEN);
    await rejects(northern.keys.renewKey(foreign), FORBIDDEN);
    await rejects(northern.parties.addParty({ name: 'mine', roles: ['tsm'] }), FORBIDDEN);
    await rejects(northern.parties.listContracts({ party: 'city-grid' }), FORBIDDEN);
    await rejects(northern.parties.listRefusals({}), FORBIDDEN);
    await rejects(bench.stranger.keys.listKeys({}), FORBIDDEN);
    await rejects(bench.stranger.parties.listParties({}), FORBIDDEN);
    const { refusals } = await bench.operator.parties.listRefusals({});
    equal(refusals.length, 9);
    deepEqual(
      refusals.slice(-2).map(({ caller, operation, subject }) => [caller, operation, subject]),
      [
        ['northern-power', 'read-key-history', 'city-grid'],
        ['northern-power', 'list-keys', 'city-grid'],
      ],
    );
  });

  it('shows who is what for devices that the party has to do with, and no others', async (t) => {
    const bench = await openBench(t);
    await bench.make([
      { endpoint: 'm', kind: 'smart-meter' },
      { endpoint: 'o', kind: 'obu' },
    ]);
    const northern = await callAs(bench, 'northern-power');
    ok((await northern.parties.getDeviceRoles({ endpoint: 'm' })).roles.length >= 10);
    await rejects(northern.parties.getDeviceRoles({ endpoint: 'o' }), FORBIDDEN);
  });

  it('is made only over a public key, and only for a party', async (t) => {
    const { operator } = await openBench(t);
    const bad = { party: 'northern-power', publicKey: Buffer.from('no key') };
    await rejects(operator.parties.issueCertificate(bad), { code: 'PROVISIONING_REQUEST_INVALID' });
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    await rejects(operator.parties.issueCertificate({ party: 'cli', publicKey: spki }), {
      code: 'PROVISIONING_STAKEHOLDER_NOT_FOUND',
    });
  });
});

describe('the life of keys', () => {
  it('goes by its owner: suspend, resume, revoke, with reasons and the name of the caller', async (t) => {
    const bench = await openBench(t);
    await bench.make([{ endpoint: 'm', kind: 'smart-meter' }]);
    const northern = await callAs(bench, 'northern-power');
    const key = { purpose: 'record', version: 1 };
    const act = async (action: parties.KeyAction): Promise<string> =>
      (await northern.keys.changeKeyState({ ...key, action, reason: 'drill' })).key?.state ?? '';
    equal(await act(KeyAction.SUSPEND), 'suspended');
    equal(await act(KeyAction.RESUME), 'active');
    equal(await act(KeyAction.REVOKE), 'revoked');
    await rejects(act(KeyAction.RESUME), { code: 'CUSTODY_KEY_STATE_PRECONDITION' });
    equal(await act(KeyAction.DESTROY), 'destroyed');
    const { events } = await northern.keys.getKeyHistory(key);
    deepEqual(
      events.map(({ to }) => to),
      ['initialised', 'active', 'suspended', 'active', 'revoked', 'destroyed'],
    );
    match(events[2]?.reason ?? '', /drill \(northern-power\)/);
    await rejects(northern.keys.changeKeyState({ ...key, action: KeyAction.SUSPEND, reason: '' }), {
      code: 'PROVISIONING_REQUEST_INVALID',
    });
    await rejects(northern.keys.getKeyHistory({ purpose: 'crown', version: 1 }), {
      code: 'PROVISIONING_REQUEST_INVALID',
    });
  });

  it('does not destroy what cards still hold', async (t) => {
    const bench = await openBench(t);
    await bench.make([{ endpoint: 'm', kind: 'smart-meter' }]);
    const key = { party: 'northern-power', purpose: 'domain', version: 1, reason: 'r' };
    await bench.operator.keys.changeKeyState({ ...key, action: KeyAction.REVOKE });
    await rejects(bench.operator.keys.changeKeyState({ ...key, action: KeyAction.DESTROY }), {
      code: 'CUSTODY_KEY_STATE_PRECONDITION',
      message: /on 1 cards/,
    });
  });

  it('renews a key on the cards when its owner asks', async (t) => {
    const bench = await openBench(t);
    await bench.make([
      { endpoint: 'a', kind: 'smart-meter' },
      { endpoint: 'b', kind: 'smart-meter' },
    ]);
    const northern = await callAs(bench, 'northern-power');
    const { key, rotationId } = await northern.keys.renewKey({ purpose: 'domain' });
    equal(key?.version, 2);
    const { failures, confirmed } = await finished(bench, rotationId);
    deepEqual([failures, confirmed], [[], 2]);
    await rejects(northern.keys.renewKey({ purpose: 'psk' }), { code: 'CUSTODY_RENEWAL_PRECONDITION' });
  });

  it('renews a record key: cards seal under it from then on, and what was sealed before still opens', async (t) => {
    const bench = await openBench(t);
    await bench.make([
      { endpoint: 'a', kind: 'smart-meter' },
      { endpoint: 'b', kind: 'obu' },
    ]);
    const seal = (endpoint: string, party: string, kind: DeviceKind): Uint8Array => {
      const card = bench.cardOf(endpoint);
      const plan = CARD_PLANS[kind].domains.find((domain) => domain.party === party);
      ok(card !== undefined && plan !== undefined);
      const client = new RecordsClient(card.transmit, plan.records);
      const sealed = client.seal({ timestampMs: 1, values: [[1, 5]] });
      client.close();
      return sealed;
    };
    const opened = async (sealed: Uint8Array, version: number) => {
      const master = await bench.custody.vault(partyId('northern-power')).release('record', version);
      const record = decodeSealedRecord(sealed);
      equal(record.keyVersion, version);
      return openTelemetryRecord(record, deriveRecordKey(master, 'a'), 'a').sequence;
    };
    const before = seal('a', 'northern-power', 'smart-meter');
    const northern = await callAs(bench, 'northern-power');
    const { key, rotationId } = await northern.keys.renewKey({ purpose: 'record' });
    deepEqual([key?.purpose, key?.version], ['record', 2]);
    deepEqual((await finished(bench, rotationId)).failures, []);
    const after = seal('a', 'northern-power', 'smart-meter');
    deepEqual([await opened(before, 1), await opened(after, 2)], [1, 2]);
    // Nobody else's records changed their key, and a card made now has the new one from the start.
    equal(decodeSealedRecord(seal('a', 'household', 'smart-meter')).keyVersion, 1);
    await bench.make([{ endpoint: 'c', kind: 'smart-meter' }]);
    equal(decodeSealedRecord(seal('c', 'northern-power', 'smart-meter')).keyVersion, 2);
    // Without a newer key a rotation leaves the account alone.
    const again = await northern.keys.renewKey({ purpose: 'domain' });
    deepEqual((await finished(bench, again.rotationId)).failures, []);
    equal(await opened(seal('a', 'northern-power', 'smart-meter'), 2), 3);
  });

  it('is watched: keys are renewed before they expire, again and again, and old ones end', async (t) => {
    const bench = await openBench(t, 90);
    await bench.make([{ endpoint: 'm', kind: 'smart-meter' }]);
    const start = Date.now();
    const generation = async () => (await bench.store.domains('m')).map((domain) => domain.generation);
    for (let round = 1; round <= 4; round++) {
      bench.clock.advance(start + (round * 61 - 2) * DAY_MS);
      await settled(bench);
      deepEqual(await generation(), [round, round, round], 'not before it is due');
      bench.clock.advance(start + (round * 61 + 1) * DAY_MS);
      await settled(bench);
      deepEqual(await generation(), [round + 1, round + 1, round + 1], `round ${round}`);
    }
    bench.clock.advance(start + 246 * DAY_MS);
    await settled(bench);
    const { keys } = await bench.operator.keys.listKeys({ party: 'northern-power' });
    deepEqual(
      keys.filter(({ purpose }) => purpose === 'domain').map(({ version, state }) => `${version} ${state}`),
      ['1 active', '2 destroyed', '3 destroyed', '4 active', '5 active'],
    );
    // Record keys go with them, and stay for what was sealed under them.
    deepEqual(
      keys.filter(({ purpose }) => purpose === 'record').map(({ version, state }) => `${version} ${state}`),
      ['1 active', '2 active', '3 active', '4 active', '5 active'],
    );
  });
});

/** Waits until the watch finds nothing to do and every rotation that it started has come to its end. */
async function settled({ watch, store }: Bench): Promise<void> {
  const parties = 3;
  for (let looks = 0; looks <= parties; looks++) {
    await watch.look();
    while ((await store.unfinishedRotations()).length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await watch.look();
}
