import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { normalSerialNumber, readRevocationList } from '@sefleet/pki';
import { SqliteDatabase } from '@sefleet/service';
import type { CardLinks } from '../card-link/card-link.ts';
import { partyId } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import { SqlPartyStore } from '../store/sql/sql-party-store.ts';
import { createPartiesBench } from '../testing/parties-bench.ts';
import { createSwitchBench, CUT, order, runToEnd } from '../testing/switch-bench.ts';
import { CardLists } from './card-lists.ts';
import { RevocationOffice } from './revocation-office.ts';

const HOUR_MS = 3_600_000;

describe('revocation', () => {
  it("closes the services to a party at once, and the authority's list names its certificates", async (t) => {
    const bench = await createPartiesBench();
    t.after(() => bench.close());
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const request = {
      party: 'beacon-insurance',
      publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    };
    const { certificatePem, serialNumber } = await bench.operator.parties.issueCertificate(request);
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const beacon = bench.clientsOf(certificatePem, pem);
    await beacon.keys.listKeys({});
    const subject = { case: 'party', value: 'beacon-insurance' } as const;
    await rejects(beacon.revocations.revoke({ subject, reason: 'x' }), { code: 'PROVISIONING_FORBIDDEN' });
    const { serialNumbers } = await bench.operator.revocations.revoke({ subject, reason: 'insolvent' });
    ok(serialNumbers.includes(normalSerialNumber(serialNumber)));
    await rejects(beacon.keys.listKeys({}), { code: 'GRPC_CALLER_REVOKED' });
    await rejects(bench.operator.parties.issueCertificate(request), { code: 'PROVISIONING_PARTY_REVOKED' });
    const { revocationList } = await bench.stranger.revocations.getRevocationList({});
    const list = await readRevocationList(revocationList, bench.authority.certificatePem);
    ok(list.serialNumbers.has(normalSerialNumber(serialNumber)));
    const { revocations } = await bench.operator.revocations.listRevocations({});
    deepEqual(new Set(revocations.map(({ reason }) => reason)), new Set(['insolvent']));
    await rejects(bench.operator.revocations.revoke({ reason: 'x' }), {
      code: 'PROVISIONING_REQUEST_INVALID',
    });
    await rejects(bench.operator.revocations.revoke({ subject, reason: '' }), {
      code: 'PROVISIONING_REQUEST_INVALID',
    });
  });

  it('takes out a device with its certificate, and one that has none by its name', async (t) => {
    const bench = await createPartiesBench();
    t.after(() => bench.close());
    await bench.make([{ endpoint: 'm', kind: 'smart-meter' }]);
    await bench.factory.addSoftwareDevice({ endpoint: 's', kind: 'obu' }, false);
    const revoke = (value: string) =>
      bench.operator.revocations.revoke({ subject: { case: 'endpoint', value }, reason: 'stolen' });
    const [serial = ''] = (await revoke('m')).serialNumbers;
    const chain = (await bench.store.cards(['m'])).get('m')?.certificateChain ?? [];
    equal(serial, normalSerialNumber(new X509Certificate(chain[0] ?? new Uint8Array()).serialNumber));
    await revoke('s');
    deepEqual([bench.revocation.isOut('m'), bench.revocation.isOut('s')], [true, true]);
    equal(bench.revocation.isOut('x'), false);
    const { revocationList } = await bench.operator.revocations.getRevocationList({});
    const list = await readRevocationList(revocationList, bench.authority.certificatePem);
    deepEqual(list.serialNumbers, new Set([serial]));
    await rejects(revoke('ghost'), { code: 'PROVISIONING_DEVICE_NOT_FOUND' });
  });
});

describe('the list of allowed providers on cards', () => {
  it('keeps a revoked supplier from agreeing on keys, and lets another one in', async (t) => {
    const { bench, ground, office: openOffice, endpoints } = await createSwitchBench(4);
    const parties = await SqlPartyStore.open(new SqliteDatabase(':memory:'));
    const { store, custody, runtime, log, authority } = bench;
    const revocation = await RevocationOffice.open({ parties, store, authority, clock: runtime.clock, log });
    let offline = 'm-3';
    const links: CardLinks = {
      open: (endpoint) => ({
        exchange: async (commands) => {
          if (endpoint === offline) throw provisioningError('PROVISIONING_LINK_UNAVAILABLE', 'switched off');
          return ground.exchange(endpoint, commands);
        },
        close: () => undefined,
      }),
    };
    const lists = () => new CardLists({ office: revocation, parties, store, custody, links, runtime, log });
    await lists().look();
    equal((await parties.cardsAt(0)).size, 0, 'nobody is out: no card needs a list');
    await revocation.revokeParty('sunrise-energy', 'licence withdrawn');
    const { revision } = revocation.cardList();
    await lists().look();
    deepEqual(await parties.cardsAt(revision), new Set(['m-0', 'm-1', 'm-2']));
    offline = '';
    await lists().look();
    deepEqual(await parties.cardsAt(revision), new Set(endpoints), 'the card that was away has it too');
    const office = openOffice();
    t.after(async () => {
      await office.close();
      await parties.close();
      await bench.close();
    });
    const refused = await office.start(order(endpoints));
    await runToEnd(office, ground, refused, CUT + HOUR_MS);
    const { states, exceptions } = await office.progress(refused);
    deepEqual([...states], [['exception', 4]]);
    deepEqual([...exceptions], [['certificate-refused', 4]]);
    for (const { evidence } of await office.meters(refused)) equal(evidence.agreement, undefined);
    const cutOverAt = CUT + 48 * HOUR_MS;
    const other = { ...order(endpoints), requestId: 'other', to: partyId('harbour-light'), cutOverAt };
    const allowed = await office.start(other);
    await runToEnd(office, ground, allowed, cutOverAt + HOUR_MS);
    deepEqual([...(await office.progress(allowed)).states], [['confirmed', 4]]);
  });
});
