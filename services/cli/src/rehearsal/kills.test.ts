import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { SefleetError } from '@sefleet/errors';
import { Killer, type PhaseProgress } from './killer.ts';
import { patientClient } from './patient-client.ts';
import { randomKills, type PlannedKill, type RehearsalPhase } from './planned-kills.ts';
import { processesOn } from './rehearsal-layout.ts';

const LIVE = processesOn('live', ['a', 'b']);

function pointsOf(phase: RehearsalPhase): number[] {
  return Array.from({ length: 2000 }, (_, seed) => randomKills(seed, LIVE, 1)).flatMap(([kill]) =>
    kill?.at.phase === phase && 'share' in kill.at ? [kill.at.share] : [],
  );
}

describe('random kills', () => {
  it('follow from the seed', () => {
    deepEqual(randomKills(7, LIVE, 3), randomKills(7, LIVE, 3));
    const two = [randomKills(7, LIVE, 1), randomKills(8, LIVE, 1)].map((kills) => JSON.stringify(kills));
    ok(two[0] !== two[1]);
  });

  it('fall on every process of a ground about as often', () => {
    const counts = Map.groupBy(
      Array.from({ length: 2000 }, (_, seed) => randomKills(seed, LIVE, 1)[0]?.service),
      (service) => service,
    );
    deepEqual(new Set(counts.keys()), new Set(LIVE));
    for (const [service, kills] of counts)
      ok(Math.abs(kills.length - 400) < 80, `${service}: ${kills.length}`);
  });

  it('fall into every part of a rehearsal, most of them into the switch, and all over each', () => {
    const shares = { prepare: 200, switch: 1600, check: 200 };
    for (const phase of ['prepare', 'switch', 'check'] as const) {
      const points = pointsOf(phase);
      ok(Math.abs(points.length - shares[phase]) < shares[phase] / 4, `${phase}: ${points.length}`);
      for (let tenth = 0; tenth < 10; tenth++) {
        const there = points.filter((share) => Math.floor(share * 10) === tenth).length;
        ok(there > points.length / 25, `${phase}: ${there} of ${points.length} in tenth ${tenth}`);
      }
    }
  });
});

describe('the killer', () => {
  const killed: string[] = [];
  const services = { kill: async (name: string) => void killed.push(name) };
  const quiet = (): void => undefined;

  function killerOf(kills: readonly PlannedKill[]): Killer {
    killed.length = 0;
    return new Killer(kills, services, quiet);
  }

  it('kills when so much is done, and says at which steps', async () => {
    const killer = killerOf([{ service: 'device-sim', at: { phase: 'switch', share: 0.5 } }]);
    let share = 0;
    const steps = new Map([['agree-keys', 3]]);
    const progress = async (): Promise<PhaseProgress> => ({ share: (share += 0.2), steps });
    const work = async (): Promise<string> => {
      while (killed.length === 0) await pause(1);
      return 'done';
    };
    equal(await killer.during('switch', progress, work), 'done');
    const [fallen] = killer.fallen;
    ok(fallen !== undefined && fallen.share >= 0.5 && fallen.share < 0.75, JSON.stringify(fallen));
    deepEqual([fallen.service, fallen.steps], ['device-sim', { 'agree-keys': 3 }]);
  });

  it('kills at the end of a part that was over too soon, and before the next one', async () => {
    const killer = killerOf([{ service: 'provisioning', at: { phase: 'prepare', share: 0.9 } }]);
    const progress = async (): Promise<PhaseProgress> => ({ share: 0, steps: new Map() });
    await killer.during('prepare', progress, () => Promise.resolve());
    deepEqual(killed, ['provisioning']);
  });

  it('lets other parts alone, and kills in the order of points', async () => {
    const killer = killerOf([
      { service: 'lwm2m-server', at: { phase: 'switch', share: 0.6 } },
      { service: 'device-sim', at: { phase: 'check', share: 0 } },
      { service: 'supplier:a', at: { phase: 'switch', share: 0.2 } },
    ]);
    const progress = async (): Promise<PhaseProgress> => ({ share: 1, steps: new Map() });
    await killer.during('switch', progress, () => pause(50));
    deepEqual(killed, ['supplier:a', 'lwm2m-server']);
    equal(killer.isRestless, true, 'devices have to notice that their server was away');
  });

  it('fails with the work, and with a service that does not come back', async () => {
    const killer = killerOf([]);
    const progress = async (): Promise<PhaseProgress> => ({ share: 0, steps: new Map() });
    await rejects(
      killer.during('switch', progress, () => Promise.reject(new RangeError('lost'))),
      RangeError,
    );
    const dead = new Killer(
      [{ service: 'provisioning', at: { phase: 'switch', share: 0 } }],
      { kill: () => Promise.reject(new TypeError('dead')) },
      quiet,
    );
    await rejects(
      dead.during('switch', progress, () => new Promise(() => undefined)),
      TypeError,
    );
  });
});

describe('a patient client', () => {
  const away = new SefleetError('GRPC_UNAVAILABLE', 'environment', 'connection lost');

  it('asks again when the service was killed, and gives other errors on', async () => {
    let asked = 0;
    const client = patientClient({
      ask: async (what: string) => {
        asked++;
        if (asked < 3) throw away;
        return what;
      },
      refuse: async () => {
        throw new SefleetError('SWITCH_NOT_FOUND', 'caller', 'no such switch');
      },
      close: () => 'closed',
    });
    equal(await client.ask('time'), 'time');
    equal(asked, 3);
    await rejects(client.refuse(), { code: 'SWITCH_NOT_FOUND' });
    equal(client.close(), 'closed');
  });

  it('gives a stream on once, though it broke in the middle', async () => {
    let asked = 0;
    const client = patientClient({
      list: async function* list() {
        asked++;
        yield 1;
        if (asked === 1) throw away;
        yield 2;
      },
    });
    const seen: number[] = [];
    for await (const value of client.list()) seen.push(value);
    deepEqual([seen, asked], [[1, 2], 2]);
  });
});
