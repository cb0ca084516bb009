import { join } from 'node:path';
import { textSetting } from '@sefleet/config';
import { provisioning } from '@sefleet/api';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { createGrpcClient, runService } from '@sefleet/service';
import { GroundStore } from './ground-store.ts';
import { Ground } from './ground.ts';
import { serveGround, serveMeters, type GroundHolder } from './serve-ground.ts';

await runService({
  name: 'rehearsal-ground',
  settings: {
    provisioningTarget: textSetting({
      env: 'SEFLEET_PROVISIONING_TARGET',
      doc: 'gRPC address of provisioning, where the cards come from',
      default: '127.0.0.1:50051',
    }),
  },
  start: async ({ settings, tls, dataFolder }) => {
    const runtime = createNodeRuntime();
    const factory = createGrpcClient(provisioning.ManufacturingService, settings.provisioningTarget, tls);
    const store = new GroundStore(join(dataFolder, 'ground.sqlite'));
    const holder: GroundHolder = { ground: Ground.restore(runtime.rng, store) };
    return {
      grpc: [serveGround(holder, factory, runtime.rng, store), serveMeters(holder)],
      stop: async () => {
        factory.close();
        store.close();
        runtime.close();
      },
    };
  },
});
