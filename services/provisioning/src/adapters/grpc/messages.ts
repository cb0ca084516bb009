import { common } from '@sefleet/api';
import type { fleet } from '@sefleet/api';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { DeviceKind } from '../../domain/device-kind.ts';
import type { RotationProgress } from '../../domain/rotation.ts';
import { provisioningError } from '../../errors.ts';

const KINDS: readonly (readonly [DeviceKind, common.DeviceKind])[] = [
  ['smart-meter', common.DeviceKind.SMART_METER],
  ['obu', common.DeviceKind.OBU],
  ['rpm-gateway', common.DeviceKind.RPM_GATEWAY],
];

/** The kind as the contract writes it. */
export function toApiKind(kind: DeviceKind): common.DeviceKind {
  return KINDS.find(([name]) => name === kind)?.[1] ?? common.DeviceKind.UNSPECIFIED;
}

/** The kind of a request. @throws SefleetError `PROVISIONING_REQUEST_INVALID` when there is none. */
export function fromApiKind(kind: common.DeviceKind): DeviceKind {
  const name = KINDS.find(([, value]) => value === kind)?.[0];
  if (name === undefined) throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a device needs a kind');
  return name;
}

/** How far a rotation has come, as the contract writes it. */
export function toRotationState(
  progress: RotationProgress,
): MessageInitShape<typeof fleet.RotationStateSchema> {
  const { durationsMs } = progress;
  return {
    rotationId: progress.rotationId,
    stakeholder: progress.stakeholder,
    total: BigInt(progress.total),
    attempted: BigInt(progress.attempted),
    confirmed: BigInt(progress.confirmed),
    oldKeyRefused: BigInt(progress.oldKeyRefused),
    failed: BigInt(progress.failed),
    done: progress.done,
    duration: {
      count: BigInt(durationsMs.length),
      p50Ms: percentile(durationsMs, 0.5),
      p95Ms: percentile(durationsMs, 0.95),
      p99Ms: percentile(durationsMs, 0.99),
      maxMs: durationsMs.at(-1) ?? 0,
    },
    failures: progress.failures.map((failure) => ({ ...failure })),
  };
}

/** The smallest of the ascending `values` that at least `share` of them do not exceed. */
function percentile(values: readonly number[], share: number): number {
  return values[Math.max(0, Math.ceil(values.length * share) - 1)] ?? 0;
}
