import { common, switching } from '@sefleet/api';
import { serve, type ServedService } from '@sefleet/service';
import { simulationError } from '../../errors.ts';
import type { DeviceKind } from '../../device-kind.ts';
import { kindFromProto } from './device-kind.ts';
import type { RehearsalGround } from '../../rehearsal/rehearsal-ground.ts';

/** Who keeps the time of a rehearsal. */
const REHEARSERS: ReadonlySet<string> = new Set(['cli']);
const METERS_PER_MESSAGE = 32;
const MINUTE_MS = 60_000;

/** RehearsalGroundService: a fleet of meters whose time and faults the caller decides. */
export function serveRehearsalGround(ground: RehearsalGround): ServedService {
  return serve(switching.RehearsalGroundService, {
    prepareGround: async (request, { caller }) => {
      requireRehearser(caller);
      const endpoints = await ground.prepare({
        seed: String(request.seed),
        kind: playedKind(request.kind),
        meters: request.meters,
        startMs: Number(request.now),
        intervalMs: request.intervalMinutes * MINUTE_MS,
        cutOverAtMs: Number(request.cutOverAt),
        faults: new Map(request.faults.map(({ name, percent }) => [name, percent])),
      });
      return { endpoints: [...endpoints] };
    },
    advanceGround: async ({ now }, { caller }) => {
      requireRehearser(caller);
      const { nextReturnAt, unsettled } = await ground.advance(Number(now));
      return { nextReturnAt: BigInt(nextReturnAt), unsettled };
    },
    collectMeters: ({ images }, { caller }) => {
      requireRehearser(caller);
      return collected(ground, images);
    },
  });
}

async function* collected(ground: RehearsalGround, images: number) {
  let meters = [];
  for await (const { records, exchanges, faults, cardImage, ...truth } of ground.collect(images)) {
    meters.push({
      endpoint: truth.endpoint,
      records: [...records],
      cardImage,
      exchanges: [...exchanges],
      faults: [...faults],
      firstAt: BigInt(truth.firstAt),
      lastAt: BigInt(truth.lastAt),
      firstRegisterWh: BigInt(truth.firstRegisterWh),
      lastRegisterWh: BigInt(truth.lastRegisterWh),
      cutOvers: truth.cutOvers.map(({ instant, takenAt, registerWh }) => {
        return { instant: BigInt(instant), takenAt: BigInt(takenAt), registerWh: BigInt(registerWh) };
      }),
    });
    if (meters.length < METERS_PER_MESSAGE) continue;
    yield { meters };
    meters = [];
  }
  yield { meters };
}

/** Meters unless it is said otherwise. */
function playedKind(kind: common.DeviceKind): DeviceKind {
  if (kind === common.DeviceKind.UNSPECIFIED) return 'smart-meter';
  const known = kindFromProto(kind);
  if (known === undefined) throw simulationError('SIM_PLAN_INVALID', 'no such kind of device');
  return known;
}

function requireRehearser(caller: string): void {
  if (REHEARSERS.has(caller)) return;
  throw simulationError('SIM_REHEARSAL_FORBIDDEN', `${caller} keeps no rehearsal`);
}
