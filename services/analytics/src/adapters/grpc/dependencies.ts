import { management, provisioning, simulation } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import type { EventLog } from '@sefleet/observability';
import { createGrpcClient, type CallOptions, type GrpcClient, type TlsFiles } from '@sefleet/service';
import { analyticsError } from '../../errors.ts';
import { EVENTS } from '../../events.ts';

/** Another service, which may be absent or down. */
export interface Dependency<C> {
  readonly name: string;
  readonly configured: boolean;
  /**
   * Asks it; an answer is waited for longer when the last question was answered.
   *
   * @throws SefleetError of the service, or `ANALYTICS_DEPENDENCY_UNAVAILABLE`.
   */
  ask<T>(question: (client: C, options: CallOptions) => Promise<T>): Promise<T>;
}

/** The services that the fleet's state is put together from. */
export interface Dependencies {
  readonly lwm2m: Dependency<GrpcClient<typeof management.DeviceManagementService>>;
  readonly rotation: Dependency<GrpcClient<typeof provisioning.RotationService>>;
  readonly simulation: Dependency<GrpcClient<typeof simulation.SimulationService>>;
  close(): void;
}

export interface DependencyTargets {
  readonly lwm2mTarget: string;
  readonly provisioningTarget: string;
  readonly simulationTarget: string;
}

const DEADLINE_MS = 3000;
/** One that did not answer must not hold up every snapshot; the channel goes on connecting meanwhile. */
const DOWN_DEADLINE_MS = 300;

/** Clients of the configured services; they connect when first asked. */
export function createDependencies(targets: DependencyTargets, tls: TlsFiles, log: EventLog): Dependencies {
  const clientOf = <S extends Parameters<typeof createGrpcClient>[0]>(
    service: S,
    target: string,
  ): GrpcClient<S> | undefined => (target === '' ? undefined : createGrpcClient(service, target, tls));
  const lwm2m = clientOf(management.DeviceManagementService, targets.lwm2mTarget);
  const rotation = clientOf(provisioning.RotationService, targets.provisioningTarget);
  const simulated = clientOf(simulation.SimulationService, targets.simulationTarget);
  return {
    lwm2m: createDependency('lwm2m-server', lwm2m, 'SEFLEET_LWM2M_TARGET', log),
    rotation: createDependency('provisioning', rotation, 'SEFLEET_PROVISIONING_TARGET', log),
    simulation: createDependency('device-sim', simulated, 'SEFLEET_SIMULATION_TARGET', log),
    close: () => {
      lwm2m?.close();
      rotation?.close();
      simulated?.close();
    },
  };
}

function createDependency<C>(
  name: string,
  client: C | undefined,
  setting: string,
  log: EventLog,
): Dependency<C> {
  let down = false;
  return {
    name,
    configured: client !== undefined,
    ask: async (question) => {
      if (client === undefined) {
        throw analyticsError('ANALYTICS_DEPENDENCY_UNAVAILABLE', `${name} is not configured`, {
          hint: `Set ${setting} to its host and port.`,
        });
      }
      try {
        const answer = await question(client, { deadlineMs: down ? DOWN_DEADLINE_MS : DEADLINE_MS });
        down = false;
        return answer;
      } catch (error) {
        down = isSefleetError(error) && error.fault === 'environment';
        log.emit(EVENTS.dependencyFailed, { dependency: name, error });
        throw error;
      }
    },
  };
}
