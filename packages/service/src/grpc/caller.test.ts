import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { telemetry } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import { createEventLog } from '@sefleet/observability';
import { issueCertificate, type CertificateRequest, type Credential } from '@sefleet/pki';
import { createGrpcClient, ensureLocalPki, readTlsFiles, serve, startGrpcServer } from '../index.ts';
import type { GrpcServer } from '../index.ts';

const folder = mkdtempSync(join(tmpdir(), 'sefleet-caller-'));
const callers: string[] = [];
let server: GrpcServer;
let authority: Credential;

before(async () => {
  await ensureLocalPki(folder, ['server', 'cli']);
  const [certificatePem, privateKeyPem] = ['ca.pem', 'ca.key'].map((name) =>
    readFileSync(join(folder, name), 'utf8'),
  );
  authority = { certificatePem: certificatePem ?? '', privateKeyPem: privateKeyPem ?? '' };
  const service = serve(telemetry.TelemetryService, {
    getIngestStatistics: (_request, { caller }) => {
      callers.push(caller);
      return {};
    },
    listLedger: async function* (_request, { caller }) {
      callers.push(caller);
      yield {};
    },
  });
  server = await startGrpcServer({
    address: '127.0.0.1',
    port: 0,
    tls: readTlsFiles(folder, 'server'),
    services: [service],
    log: createEventLog({ service: 'test', level: 'silent' }),
  });
});

after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const DAY_MS = 86_400_000;

function issueFrom(
  issuer: Credential,
  request: Pick<CertificateRequest, 'commonName' | 'organisation' | 'pathLength'>,
): Promise<Credential> {
  const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };
  return issueCertificate(issuer, { ...request, ...validity, clientAuth: true });
}

async function assertRefused(chain: string, privateKeyPem: string): Promise<void> {
  const tls = {
    authority: Buffer.from(authority.certificatePem),
    certificate: Buffer.from(chain),
    privateKey: Buffer.from(privateKeyPem),
  };
  const client = createGrpcClient(telemetry.TelemetryService, `127.0.0.1:${server.port}`, tls);
  const isRefusal = (error: unknown): boolean =>
    isSefleetError(error, 'GRPC_CALLER_FORBIDDEN') && error.context['status'] === 'PERMISSION_DENIED';
  await assert.rejects(client.getIngestStatistics({}), isRefusal);
  await assert.rejects(Array.fromAsync(client.listLedger({})), isRefusal);
  client.close();
  assert.deepEqual(callers, [], 'no handler ran');
}

test('a device is no operator, although our authority signed its certificate', async () => {
  const device = await issueFrom(authority, { commonName: 'cli', organisation: 'sefleet software device' });
  await assertRefused(device.certificatePem, device.privateKeyPem);
});

test('a certificate that a device signed is not a service, whatever name it carries', async () => {
  const device = await issueFrom(authority, {
    commonName: 'obu-1',
    organisation: 'sefleet obu',
    pathLength: 0,
  });
  const forged = await issueFrom(device, { commonName: 'cli', organisation: 'sefleet service' });
  await assertRefused(`${forged.certificatePem}\n${device.certificatePem}`, forged.privateKeyPem);
});

test('a service is called by its name', async () => {
  const tls = readTlsFiles(folder, 'cli');
  const client = createGrpcClient(telemetry.TelemetryService, `127.0.0.1:${server.port}`, tls);
  await client.getIngestStatistics({});
  client.close();
  assert.deepEqual(callers.splice(0), ['cli']);
});

test('a certificate is asked for once a connection, and each connection has its own', async (t) => {
  const asked = t.mock.method(TLSSocket.prototype, 'getPeerCertificate');
  const target = `127.0.0.1:${server.port}`;
  const clients = ['cli', 'server'].map((name) =>
    createGrpcClient(telemetry.TelemetryService, target, readTlsFiles(folder, name)),
  );
  for (const client of clients) await client.getIngestStatistics({});
  const atFirst = asked.mock.callCount();
  assert.ok(atFirst > 0);
  for (const client of [...clients, ...clients]) {
    await client.getIngestStatistics({});
    await Array.fromAsync(client.listLedger({}));
  }
  for (const client of clients) client.close();
  const names = ['cli', 'cli', 'server', 'server'];
  assert.deepEqual(callers.splice(0), ['cli', 'server', ...names, ...names]);
  assert.equal(asked.mock.callCount(), atFirst);
});
