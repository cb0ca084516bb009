import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parties } from '@sefleet/api';
import {
  createGrpcClient,
  ensureLocalPki,
  readTlsFiles,
  SqliteDatabase,
  startGrpcServer,
  type GrpcClient,
  type TlsFiles,
} from '@sefleet/service';
import { openParties } from '../parties/open-parties.ts';
import { RotationOrders } from '../rotation/rotation-orders.ts';
import { RotationRunner } from '../rotation/rotation-runner.ts';
import { SqlPartyStore } from '../store/sql/sql-party-store.ts';
import { createBench } from './factory-bench.ts';

const DAY_MS = 86_400_000;

/** Clients of the services about parties, with one certificate. */
export interface PartyClients {
  readonly parties: GrpcClient<typeof parties.PartyService>;
  readonly keys: GrpcClient<typeof parties.KeyService>;
  readonly revocations: GrpcClient<typeof parties.RevocationService>;
}

/** Factory, cards, keys and the registry of parties, served over gRPC with mutual TLS. */
export async function createPartiesBench(keyDays?: number) {
  const bench = await createBench(':memory:', keyDays === undefined ? undefined : keyDays * DAY_MS);
  const folder = mkdtempSync(join(tmpdir(), 'parties-'));
  await ensureLocalPki(folder, ['provisioning', 'cli', 'mallory']);
  const authority = {
    certificatePem: readFileSync(join(folder, 'ca.pem'), 'utf8'),
    privateKeyPem: readFileSync(join(folder, 'ca.key'), 'utf8'),
  };
  const store = await SqlPartyStore.open(new SqliteDatabase(':memory:'));
  const runner = new RotationRunner(bench);
  const orders = new RotationOrders({ ...bench, runner, defaultConcurrency: 8 });
  const settings = { renewBeforeDays: 30 };
  const part = await openParties({ ...bench, parties: store, orders, authority, settings });
  const tls = readTlsFiles(folder, 'provisioning');
  const server = await startGrpcServer({
    address: '127.0.0.1',
    port: 0,
    tls,
    services: part.grpc,
    log: bench.log,
    isRevoked: (serialNumber) => part.revocation.isRevoked(serialNumber),
  });
  const open: { close(): void }[] = [];
  const clientsOf = (files: TlsFiles): PartyClients => {
    const target = `127.0.0.1:${server.port}`;
    const clients = {
      parties: createGrpcClient(parties.PartyService, target, files),
      keys: createGrpcClient(parties.KeyService, target, files),
      revocations: createGrpcClient(parties.RevocationService, target, files),
    };
    open.push(...Object.values(clients));
    return clients;
  };
  return {
    ...bench,
    ...part,
    cardOf: (endpoint: string) => bench.cards.get(endpoint),
    authority,
    partyStore: store,
    orders,
    operator: clientsOf(readTlsFiles(folder, 'cli')),
    stranger: clientsOf(readTlsFiles(folder, 'mallory')),
    clientsOf: (certificatePem: string, privateKeyPem: string) => {
      const files = { certificate: Buffer.from(certificatePem), privateKey: Buffer.from(privateKeyPem) };
      return clientsOf({ ...files, authority: tls.authority });
    },
    close: async () => {
      for (const client of open) client.close();
      await server.close();
      await part.close();
      await runner.stop();
      await store.close();
      await bench.close();
      rmSync(folder, { recursive: true });
    },
  };
}
