import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { provisioning, telemetry } from '@sefleet/api';
import { createEventLog } from '@sefleet/observability';
import { Client, credentials } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { ensureLocalPki, readTlsFiles, serve, startGrpcServer } from '../index.ts';
import type { GrpcServer } from '../index.ts';

const require = createRequire(import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'sefleet-standard-'));
let server: GrpcServer;
let client: Client;

before(async () => {
  await ensureLocalPki(folder, ['server', 'dashboard']);
  server = await startGrpcServer({
    address: '127.0.0.1',
    port: 0,
    tls: readTlsFiles(folder, 'server'),
    services: [
      serve(telemetry.TelemetryService, {
        listLedger: async function* () {
          yield {};
        },
        getIngestStatistics: () => ({}),
      }),
      // Its answers are described in a file that has a service, too.
      serve(provisioning.RotationService, {
        startRotation: () => ({}),
        getRotation: () => ({}),
        listSecurityDomains: () => ({}),
        getKeyStatistics: () => ({}),
      }),
    ],
    log: createEventLog({ service: 'test', level: 'silent' }),
  });
  const tls = readTlsFiles(folder, 'dashboard');
  client = new Client(
    `localhost:${server.port}`,
    credentials.createSsl(tls.authority, tls.privateKey, tls.certificate),
  );
});

after(async () => {
  client.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

/** A method of a published proto file, as a program that knows nothing of us would load it. */
function method(file: string, service: string, name: string): MethodDefinition<object, object> {
  const definition = loadSync(file, { enums: String })[service];
  const found = (definition as ServiceDefinition)[name];
  assert.ok(found !== undefined);
  return found;
}

test('answers the standard health check for the server and for each service', async () => {
  const file = join(
    dirname(require.resolve('grpc-health-check/package.json')),
    'proto/health/v1/health.proto',
  );
  const check = method(file, 'grpc.health.v1.Health', 'Check');
  for (const service of ['', 'sefleet.telemetry.v1.TelemetryService']) {
    const answer = await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        check.path,
        check.requestSerialize,
        check.responseDeserialize,
        { service },
        (error, response) => (error === null ? resolve(response) : reject(error)),
      );
    });
    assert.partialDeepStrictEqual(answer, { status: 'SERVING' });
  }
});

test('describes its services by the standard reflection service', async () => {
  const root = join(dirname(require.resolve('@grpc/reflection/package.json')), 'build/proto');
  const info = method(
    join(root, 'grpc/reflection/v1/reflection.proto'),
    'grpc.reflection.v1.ServerReflection',
    'ServerReflectionInfo',
  );
  const call = client.makeBidiStreamRequest(info.path, info.requestSerialize, info.responseDeserialize);
  const answer = new Promise<unknown>((resolve, reject) => {
    call.on('data', resolve);
    call.on('error', reject);
  });
  call.write({ listServices: '' });
  const services = JSON.stringify(await answer).match(/sefleet[\w.]+/g) ?? [];
  assert.deepEqual(services.toSorted(), [
    'sefleet.provisioning.v1.RotationService',
    'sefleet.telemetry.v1.TelemetryService',
  ]);
  call.end();
});
