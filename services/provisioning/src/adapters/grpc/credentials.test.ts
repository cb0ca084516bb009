import { deepEqual, equal, notDeepEqual, rejects, throws } from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { provisioning } from '@sefleet/api';
import { aid } from '@sefleet/globalplatform';
import { parseCardKeyReference, stakeholderIdentity } from '@sefleet/lwm2m-coap';
import { IotSafeClient } from '@sefleet/secure-element';
import {
  createGrpcClient,
  ensureLocalPki,
  readTlsFiles,
  startGrpcServer,
  type GrpcServer,
} from '@sefleet/service';
import { partyId } from '../../domain/party.ts';
import { parseStakeholderServers } from '../../domain/stakeholder-servers.ts';
import { ServerAccounts } from '../../manufacture/server-accounts.ts';
import { createBench } from '../../testing/factory-bench.ts';
import { serveCredentials } from './credentials.ts';

const ENDPOINT = 'urn:dev:sefleet:meter-000001';
const SUPPLIER = 'northern-power';
const IDENTITY = stakeholderIdentity(SUPPLIER, ENDPOINT);

describe('credentials of stakeholders', () => {
  const folder = mkdtempSync(join(tmpdir(), 'credentials-'));
  let bench: Awaited<ReturnType<typeof createBench>>;
  let server: GrpcServer;

  before(async () => {
    bench = await createBench();
    await bench.make([{ endpoint: ENDPOINT, kind: 'smart-meter' }]);
    await ensureLocalPki(folder, ['provisioning', 'lwm2m-server', SUPPLIER, 'sunrise-energy', 'cli']);
    const servers = parseStakeholderServers(`${SUPPLIER}=coaps://127.0.0.1:5690@127.0.0.1:50061`);
    const accounts = new ServerAccounts(bench.accounts.facts, servers);
    server = await startGrpcServer({
      address: '127.0.0.1',
      port: 0,
      tls: readTlsFiles(folder, 'provisioning'),
      services: [serveCredentials({ ...bench, accounts, isOut: () => false })],
      log: bench.log,
    });
  });

  after(async () => {
    await server.close(100);
    await bench.close();
    rmSync(folder, { recursive: true });
  });

  const as = async <T>(
    caller: string,
    run: (client: ReturnType<typeof clientOf>) => Promise<T>,
  ): Promise<T> => {
    const client = clientOf(caller);
    try {
      return await run(client);
    } finally {
      client.close();
    }
  };
  const clientOf = (caller: string) =>
    createGrpcClient(
      provisioning.CredentialService,
      `127.0.0.1:${server.port}`,
      readTlsFiles(folder, caller),
    );
  const lookUp = async (caller: string): Promise<readonly provisioning.PskCredential[]> =>
    (await as(caller, (client) => client.lookupPsks({ identities: [IDENTITY, ENDPOINT] }))).credentials;

  it('are for the stakeholder alone: not for the network provider, nor for another stakeholder', async () => {
    const [own, ...more] = await lookUp(SUPPLIER);
    deepEqual([own?.identity, own?.endpoint, own?.bootstrap, more.length], [IDENTITY, ENDPOINT, false, 0]);
    const network = await lookUp('lwm2m-server');
    deepEqual(
      network.map(({ identity }) => identity),
      [ENDPOINT],
    );
    notDeepEqual(network[0]?.psk, own?.psk);
    deepEqual(await lookUp('sunrise-energy'), []);
    await rejects(lookUp('cli'), { code: 'PROVISIONING_FORBIDDEN' });
  });

  it('are what the applet in the domain of the stakeholder computes with', async () => {
    const { servers } = await as('lwm2m-server', (client) =>
      client.getBootstrapConfiguration({ endpoint: ENDPOINT }),
    );
    const account = servers.find(({ pskIdentity }) => pskIdentity === IDENTITY);
    equal(account?.uri, 'coaps://127.0.0.1:5690');
    const reference = parseCardKeyReference(account?.secretKey ?? new Uint8Array());
    const card = bench.cards.get(ENDPOINT);
    const keys = new IotSafeClient(
      (apdu) => card?.transmit(apdu) ?? new Uint8Array(),
      aid(reference?.application ?? ''),
    );
    const request = { label: 'master secret', seed: new Uint8Array(64) };
    const secret = keys.masterSecret(Uint8Array.of(reference?.container ?? 0), request);
    const [own] = await lookUp(SUPPLIER);
    deepEqual(Buffer.from(secret), masterSecretOf(own?.psk ?? new Uint8Array(), request.seed));
  });

  it('end with the account', async () => {
    await bench.store.closeAccount(ENDPOINT, partyId(SUPPLIER));
    deepEqual(await lookUp(SUPPLIER), []);
    const { servers } = await as('lwm2m-server', (client) =>
      client.getBootstrapConfiguration({ endpoint: ENDPOINT }),
    );
    deepEqual(
      servers.map(({ pskIdentity }) => pskIdentity),
      [ENDPOINT],
    );
    await bench.store.openAccount(ENDPOINT, partyId(SUPPLIER));
    equal((await lookUp(SUPPLIER)).length, 1);
  });
});

describe('servers of stakeholders', () => {
  it('are read, and what is none is named', () => {
    deepEqual(
      [...parseStakeholderServers(' northern-power=coaps://a:1@b:2  sunrise-energy=coaps://c@d:3 ')],
      [
        ['northern-power', { uri: 'coaps://a:1', target: 'b:2' }],
        ['sunrise-energy', { uri: 'coaps://c', target: 'd:3' }],
      ],
    );
    equal(parseStakeholderServers('').size, 0);
    for (const text of ['x', 'northern-power'])
      throws(() => parseStakeholderServers(text), { code: 'PROVISIONING_REQUEST_INVALID' }, text);
    for (const text of ['nobody=coaps://a@b:1', 'city-grid=coaps://a@b:1'])
      throws(() => parseStakeholderServers(text), { code: 'PROVISIONING_STAKEHOLDER_NOT_FOUND' }, text);
    const twice = 'northern-power=coaps://a@b:1 northern-power=coaps://c@d:1';
    throws(() => parseStakeholderServers(twice), { code: 'PROVISIONING_REQUEST_INVALID' });
  });
});

/** RFC 4279 §2 and RFC 5246 §5 and §8.1, written down anew. */
function masterSecretOf(psk: Uint8Array, seed: Uint8Array): Buffer {
  const length = Buffer.from([0, psk.length]);
  const premaster = Buffer.concat([length, Buffer.alloc(psk.length), length, psk]);
  const labelled = Buffer.concat([Buffer.from('master secret'), seed]);
  const hmac = (data: Uint8Array): Buffer => createHmac('sha256', premaster).update(data).digest();
  const parts: Buffer[] = [];
  for (let a = hmac(labelled); parts.length < 2; a = hmac(a)) parts.push(hmac(Buffer.concat([a, labelled])));
  return Buffer.concat(parts).subarray(0, 48);
}
