import { deepEqual, equal, rejects } from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { createEventLog } from '@sefleet/observability';
import { FOUNDING_CONTRACTS, type Contract } from '../domain/contract.ts';
import { place } from '../domain/card-plan.ts';
import { DEFAULT_CONNECTIVITY } from '../domain/connectivity.ts';
import { partyId } from '../domain/party.ts';
import type { DeviceRotation, Rotation } from '../domain/rotation.ts';
import { StorePlaces } from '../testing/store-places.ts';
import { openStores } from './open-stores.ts';
import type { Device, DomainState, MadeCard } from './provisioning-store.ts';

const places = new StorePlaces();
before(() => places.open());
after(() => places.close());

const log = createEventLog({ service: 'test', level: 'silent' });
const NORTHERN = partyId('northern-power');
const SUNRISE = partyId('sunrise-energy');
const DOMAIN = place('smart-meter', 'energy-supplier', NORTHERN).domain;

function device(endpoint: string): Device {
  const diversification = Uint8Array.of(0, 1, 255);
  return { endpoint, kind: 'smart-meter', make: 'card', diversification, connectivity: DEFAULT_CONNECTIVITY };
}

function domainState(endpoint: string, changes: Partial<DomainState> = {}): DomainState {
  const state = { endpoint, domain: DOMAIN, role: 'energy-supplier', party: NORTHERN } as const;
  return { ...state, generation: 1, rotatedAt: undefined, ...changes };
}

function card(endpoint: string): MadeCard {
  return {
    device: device(endpoint),
    sealedImage: new Uint8Array(5000).fill(7),
    certificateChain: [Buffer.from([1, 2]), Buffer.from([3])],
    domains: [domainState(endpoint)],
    accounts: [NORTHERN],
  };
}

const ROTATION: Rotation = { rotationId: 'r-1', stakeholder: 'supplier', concurrency: 4, total: 2 };

function rotationOf(endpoint: string, rotationId = 'r-1'): DeviceRotation {
  const versions = { fromGeneration: 1, toGeneration: 2 };
  return { rotationId, endpoint, domain: DOMAIN, party: NORTHERN, step: 'planned', ...versions };
}

for (const place of places.kinds) {
  describe(`the stores on ${place.name}`, { skip: place.skip }, () => {
    const { fresh, again, close } = place;

    it('keep devices, cards, domains and accounts for the next process, byte for byte', async () => {
      const first = await fresh();
      await first.store.addCards([card('b'), card('a')]);
      await first.store.addSoftwareDevice({ ...device('s'), make: 'software' });
      await close(first);
      const { store, journal, parties } = await again();
      deepEqual((await store.cards(['a', 'nobody', 'b'])).get('a'), card('a'));
      deepEqual(await store.cardEndpoints(), ['a', 'b']);
      equal((await store.devices(['s'])).get('s')?.make, 'software');
      deepEqual(await store.domains('a'), [domainState('a')]);
      deepEqual(await store.portfolio(NORTHERN, 'energy-supplier'), ['a', 'b']);
      await close({ store, journal, parties });
    });

    it('look up a thousand devices at once, and none at all', async () => {
      const stores = await fresh();
      const names = Array.from({ length: 1000 }, (_, i) => `m-${String(i).padStart(4, '0')}`);
      await stores.store.addCards(names.map(card));
      equal((await stores.store.devices(names)).size, 1000);
      equal((await stores.store.devices([])).size, 0);
      const domains = await stores.store.domainsOf(names.toReversed(), new Set([NORTHERN]));
      deepEqual(
        domains.map(({ endpoint }) => endpoint),
        names.toReversed(),
      );
      equal((await stores.store.domainsOf(names, new Set([SUNRISE]))).length, 0);
      const [meters] = await stores.store.countByKind();
      deepEqual(meters, { kind: 'smart-meter', manufactured: 1000, rotated: 0 });
      await close(stores);
    });

    it('refuse a device that exists, and nothing else of the same moment', async () => {
      const stores = await fresh();
      await stores.store.addCards([card('a')]);
      const [known, other] = [stores.store.addCards([card('a')]), stores.store.addCards([card('c')])];
      await rejects(known);
      await other;
      deepEqual(await stores.store.cardEndpoints(), ['a', 'c']);
      await close(stores);
    });

    it('let a mandate be used for one thing, by whoever asks first, and again for the same', async () => {
      const stores = await fresh();
      const { journal } = stores;
      const use = (switchId: string, endpoint: string, nonce = 'aa', giver = 'vehicle-owner') =>
        journal.useMandate(giver, nonce, { switchId, endpoint });
      const both = await Promise.all([use('one', 'a'), use('two', 'a')]);
      deepEqual(both, [true, false]);
      equal(await use('one', 'a'), true);
      equal(await use('one', 'b'), false);
      deepEqual([await use('two', 'a', 'bb'), await use('two', 'a', 'aa', 'another-owner')], [true, true]);
      await close(stores);
    });

    it('open and close accounts, replace and remove domains', async () => {
      const stores = await fresh();
      const { store } = stores;
      await store.addCards([card('a')]);
      await store.openAccount('a', SUNRISE);
      await store.openAccount('a', SUNRISE);
      deepEqual(await store.accounts('a'), [NORTHERN, SUNRISE]);
      await store.closeAccount('a', NORTHERN);
      deepEqual(await store.accounts('a'), [SUNRISE]);
      const rotated = domainState('a', { generation: 3, rotatedAt: 1_900_000_000_000 });
      await store.putDomain(rotated);
      deepEqual(await store.domains('a'), [rotated]);
      const own = { ...rotated, records: DOMAIN };
      await store.putDomain(own);
      deepEqual(await store.domains('a'), [own]);
      await store.removeDomain('a', DOMAIN);
      deepEqual(await store.domains('a'), []);
      await close(stores);
    });

    it('give a credential to one device only', async () => {
      const stores = await fresh();
      const { store } = stores;
      await store.addCards([card('a'), card('b')]);
      const credential = { form: 'public-key', reference: 'r', authority: new Uint8Array(0) } as const;
      equal(await store.putOwnCredential('a', credential), true);
      equal(await store.putOwnCredential('b', credential), false);
      equal(await store.putOwnCredential('a', { ...credential, reference: 'q' }), true);
      equal(await store.putOwnCredential('b', credential), true);
      const held = await store.ownCredentials(['q', 'r', 'x']);
      deepEqual(
        held
          .map(({ reference, device: { endpoint } }) => `${reference} ${endpoint}`)
          .toSorted((a, b) => (a < b ? -1 : 1)),
        ['q a', 'r b'],
      );
      await close(stores);
    });

    it('start a rotation once, also when it is asked for twice at a time', async () => {
      const stores = await fresh();
      const { store } = stores;
      const names = Array.from({ length: 70 }, (_, i) => `m-${i}`);
      await store.addCards(names.map(card));
      const other = { ...ROTATION, rotationId: 'r-2' };
      const started = await Promise.all([
        store.startRotation(
          'request',
          { ...ROTATION, total: 70 },
          names.map((one) => rotationOf(one)),
        ),
        store.startRotation(
          'request',
          other,
          names.map((one) => rotationOf(one, 'r-2')),
        ),
      ]);
      deepEqual(started, ['r-1', 'r-1']);
      equal(await store.startRotation('request', other, []), 'r-1');
      equal(await store.rotation('r-2'), undefined);
      equal((await store.unfinishedDevices('r-1')).length, 70);
      await close(stores);
    });

    it('know how far a rotation has come, and the latest', async () => {
      const first = await fresh();
      await first.store.addCards([card('a'), card('b')]);
      await first.store.startRotation('q1', ROTATION, [rotationOf('a'), rotationOf('b')]);
      await first.store.moveRotation(rotationOf('a'), 'installing');
      await first.store.finishRotation(rotationOf('a'), 'confirmed', {
        finishedAt: 1_900_000_000_000.4,
        durationMs: 12.5,
        oldKeyRefused: true,
      });
      await close(first);
      const stores = await again();
      const { store } = stores;
      deepEqual(
        (await store.unfinishedRotations()).map(({ rotationId }) => rotationId),
        ['r-1'],
      );
      deepEqual(
        (await store.unfinishedDevices('r-1')).map(({ endpoint }) => endpoint),
        ['b'],
      );
      equal((await store.domains('a'))[0]?.generation, 2);
      const failure = { code: 'PROVISIONING_CARD_REFUSED', message: 'no' };
      await store.finishRotation(rotationOf('b'), 'failed', {
        finishedAt: 1,
        durationMs: 3,
        oldKeyRefused: false,
        failure,
      });
      deepEqual(await store.rotation('r-1'), {
        ...ROTATION,
        attempted: 2,
        confirmed: 1,
        oldKeyRefused: 1,
        failed: 1,
        done: true,
        durationsMs: [12.5],
        failures: [{ endpoint: 'b', ...failure }],
      });
      await store.startRotation('q2', { ...ROTATION, rotationId: 'a-later-one', total: 0 }, []);
      equal((await store.latestRotation())?.rotationId, 'a-later-one');
      await close(stores);
    });

    it('keep parties, contracts, certificates, revocations and refusals', async () => {
      const first = await fresh();
      deepEqual(await first.parties.contracts(), FOUNDING_CONTRACTS.toSorted(byId));
      const party = { id: SUNRISE, name: 'Sunrise', roles: ['tsm', 'se-supplier'], number: 200 } as const;
      await first.parties.addParty(party);
      await rejects(first.parties.addParty({ ...party, id: partyId('other') }));
      const contract: Contract = {
        contractId: 'a',
        party: SUNRISE,
        role: 'tsm',
        subject: { endpoint: 'm-1' },
        validFrom: 1_900_000_000_000,
        validUntil: 1_900_000_000_001,
        reference: 'r',
        endedBecause: '',
      };
      await first.parties.putContract(contract);
      await first.parties.putContract({ ...contract, endedBecause: 'moved out' });
      const issued = { subject: SUNRISE, use: 'client', der: Uint8Array.of(1, 0, 255) } as const;
      const certificate = { ...issued, serialNumber: 'ab', issuedAt: 1, expiresAt: 1_900_000_000_000 };
      await first.parties.addCertificate(certificate);
      const revocation = { serialNumber: 'ab', subject: SUNRISE, revokedAt: 5, reason: 'lost' };
      await first.parties.revoke([revocation]);
      await first.parties.revoke([{ ...revocation, revokedAt: 9, reason: 'again' }]);
      await first.parties.addRefusal({ at: 1, caller: 'x', operation: 'list-keys', subject: 'y' });
      await first.parties.addRefusal({ at: 1, caller: 'z', operation: 'list-keys', subject: 'y' });
      await close(first);
      const stores = await again();
      const { parties } = stores;
      deepEqual(await parties.parties(), [party]);
      deepEqual((await parties.contracts())[0], { ...contract, endedBecause: 'moved out' });
      equal((await parties.contracts()).length, FOUNDING_CONTRACTS.length + 1);
      deepEqual(await parties.certificates(SUNRISE), [certificate]);
      deepEqual(await parties.revocations(), [revocation]);
      deepEqual(
        (await parties.refusals(5)).map(({ caller }) => caller),
        ['z', 'x'],
      );
      await close(stores);
    });
  });
}

describe('the stores', () => {
  it('take up a SQLite file that counts its versions in the old place', async () => {
    const path = places.folder();
    const { store, journal } = await openStores({ databaseUrl: '', databaseSchema: '' }, path, log);
    await store.addCards([card('a')]);
    await store.close();
    await journal.close();
    const file = join(path, 'state.sqlite');
    equal(statSync(file).mode & 0o077, 0);
    const old = new DatabaseSync(file);
    old.exec('DROP TABLE schema_versions; DROP INDEX held_by; ALTER TABLE rotations DROP COLUMN number;');
    old.exec('ALTER TABLE domains DROP COLUMN records');
    old.exec('PRAGMA user_version = 4');
    old.close();
    const next = await openStores({ databaseUrl: '', databaseSchema: '' }, path, log);
    deepEqual(await next.store.cardEndpoints(), ['a']);
    await next.store.close();
    await next.journal.close();
  });

  it('say what to check when the database cannot be reached', async () => {
    const settings = { databaseUrl: 'postgres://127.0.0.1:1/none', databaseSchema: 'x' };
    await rejects(openStores(settings, places.folder(), log), {
      code: 'PROVISIONING_STORE_UNAVAILABLE',
      hint: /DATABASE_URL/,
    });
  });
});

function byId(a: Contract, b: Contract): number {
  return a.contractId < b.contractId ? -1 : 1;
}
