import {
  fleet,
  management,
  parties,
  provisioning,
  secureElement,
  simulation,
  switching,
  telemetry,
} from '@sefleet/api';
import { createGrpcClient, readTlsFiles, type GrpcClient } from '@sefleet/service';
import { pkiFolder, type Layout } from './supervisor/layout.ts';

/** Clients of every service of a running system, with the command's own certificate. */
export interface Backend {
  readonly fleet: GrpcClient<typeof fleet.FleetService>;
  readonly management: GrpcClient<typeof management.DeviceManagementService>;
  readonly manufacturing: GrpcClient<typeof provisioning.ManufacturingService>;
  readonly parties: GrpcClient<typeof parties.PartyService>;
  readonly keys: GrpcClient<typeof parties.KeyService>;
  readonly revocations: GrpcClient<typeof parties.RevocationService>;
  readonly rotation: GrpcClient<typeof provisioning.RotationService>;
  readonly secureElements: GrpcClient<typeof secureElement.SecureElementService>;
  readonly simulation: GrpcClient<typeof simulation.SimulationService>;
  readonly switching: GrpcClient<typeof switching.SwitchingService>;
  readonly telemetry: GrpcClient<typeof telemetry.TelemetryService>;
  close(): void;
}

/** Connects when first used. @throws SefleetError `TLS_FILES_MISSING` when nothing was ever started there. */
export function connectBackend(layout: Layout): Backend {
  const tls = readTlsFiles(pkiFolder(layout), 'cli');
  const at = (port: number): string => `127.0.0.1:${port}`;
  const clients = {
    fleet: createGrpcClient(fleet.FleetService, at(layout.analyticsGrpcPort), tls),
    management: createGrpcClient(management.DeviceManagementService, at(layout.lwm2mGrpcPort), tls),
    manufacturing: createGrpcClient(provisioning.ManufacturingService, at(layout.provisioningGrpcPort), tls),
    parties: createGrpcClient(parties.PartyService, at(layout.provisioningGrpcPort), tls),
    keys: createGrpcClient(parties.KeyService, at(layout.provisioningGrpcPort), tls),
    revocations: createGrpcClient(parties.RevocationService, at(layout.provisioningGrpcPort), tls),
    rotation: createGrpcClient(provisioning.RotationService, at(layout.provisioningGrpcPort), tls),
    secureElements: createGrpcClient(secureElement.SecureElementService, at(layout.simulationGrpcPort), tls),
    simulation: createGrpcClient(simulation.SimulationService, at(layout.simulationGrpcPort), tls),
    switching: createGrpcClient(switching.SwitchingService, at(layout.provisioningGrpcPort), tls),
    telemetry: createGrpcClient(telemetry.TelemetryService, at(layout.analyticsGrpcPort), tls),
  };
  return {
    ...clients,
    close: () => {
      for (const client of Object.values(clients)) client.close();
    },
  };
}
