import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fleet } from '@sefleet/api';
import { createGrpcClient, ensureLocalPki } from '@sefleet/service';
import { AnalyticsProcess } from './analytics-process.ts';

const FORBIDDEN = { code: 'GRPC_CALLER_FORBIDDEN' };

test('a certificate that the settings name may read, and start nothing; another one may do neither', async () => {
  const analytics = await AnalyticsProcess.start({ environment: { SEFLEET_FLEET_READERS: 'control-room' } });
  await ensureLocalPki(join(analytics.folder, 'pki'), ['control-room', 'northern-power']);
  const clientOf = (name: string) =>
    createGrpcClient(fleet.FleetService, `127.0.0.1:${analytics.ready.grpcPort}`, analytics.tls(name));
  const [reader, party] = [clientOf('control-room'), clientOf('northern-power')];
  try {
    assert.ok((await reader.getFleetState({})).state);
    await assert.rejects(reader.startRotation({ requestId: 'r' }), FORBIDDEN);
    await assert.rejects(party.getFleetState({}), FORBIDDEN);
    await assert.rejects(party.watchFleetState({}).next(), FORBIDDEN);
  } finally {
    reader.close();
    party.close();
    await analytics.stop();
  }
});
