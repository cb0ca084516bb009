import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CARD_PLANS } from './card-plan.ts';
import { DEVICE_KINDS } from './device-kind.ts';
import { generationNear, keyVersionOf } from './key-versions.ts';
import { PARTIES } from './party.ts';
import { isEndpointName, parsePskIdentity, pskIdentity } from './psk-identity.ts';
import { isRotationOver, nextRotationStep, type RotationInput, type RotationStep } from './rotation.ts';
import {
  canBeTakenBack,
  isSwitchOver,
  stepAfter,
  SWITCH_STEPS,
  type SwitchStep,
} from './switch/switch-state.ts';

describe('key versions', () => {
  it('are those of SCP03, and tell a generation from its neighbours', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), (generation) => {
        const version = keyVersionOf(generation);
        equal(version >= 0x30 && version <= 0x3f, true);
        notEqual(version, keyVersionOf(generation + 1));
        equal(generationNear(generation, keyVersionOf(generation + 1)), generation + 1);
        equal(generationNear(generation, version), generation);
      }),
    );
  });
});

describe('parties', () => {
  it('have names and numbers of their own', () => {
    equal(new Set(PARTIES.map(({ id }) => id)).size, PARTIES.length);
    equal(new Set(PARTIES.map(({ number }) => number)).size, PARTIES.length);
  });
});

describe('card plans', () => {
  it('give every domain and applet of a card an AID of its own', () => {
    for (const kind of DEVICE_KINDS) {
      const { domains, management } = CARD_PLANS[kind];
      const aids = [
        ...domains.flatMap(({ domain, records }) => [domain, records]),
        management.tsm,
        management.authority,
      ];
      equal(new Set(aids).size, aids.length);
    }
  });
});

describe('PSK identities', () => {
  it('lead back to endpoint and account', () => {
    fc.assert(
      fc.property(
        fc.string().filter(isEndpointName),
        fc.constantFrom('bootstrap', 'management'),
        (endpoint, purpose) => {
          deepEqual(parsePskIdentity(pskIdentity(endpoint, purpose)), { endpoint, purpose });
        },
      ),
    );
  });
});

describe('the steps of a rotation', () => {
  it('never confirm without a refused probe, whatever happens in whatever order', () => {
    const inputs: RotationInput[] = [
      'install',
      'already-installed',
      'key-confirmed',
      'old-key-refused',
      'give-up',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...inputs)), (events) => {
        let step: RotationStep = 'planned';
        let last: RotationInput | undefined;
        for (const input of events) {
          const next = nextRotationStep(step, input);
          if (next === undefined) continue;
          equal(isRotationOver(step), false);
          step = next;
          last = input;
        }
        if (step === 'confirmed') equal(last, 'old-key-refused');
      }),
    );
  });
});

describe('the steps of a switch', () => {
  for (const verb of ['switch', 'move-in', 'add', 'remove'] as const) {
    it(`of a ${verb} lead to the confirmed end, and can be taken back until the cut-over reading`, () => {
      const steps = SWITCH_STEPS[verb];
      let done: SwitchStep | undefined;
      const taken: boolean[] = [];
      for (let rule = stepAfter(verb, done); rule !== undefined; rule = stepAfter(verb, done)) {
        taken.push(canBeTakenBack(verb, done, true));
        done = rule.step;
      }
      equal(taken.length, steps.length);
      equal(
        taken.lastIndexOf(true) + 1,
        steps.findIndex(({ step }) => step === 'cut-over-read'),
      );
      equal(isSwitchOver(steps.at(-1)?.state ?? 'planned'), true);
    });
  }
});
