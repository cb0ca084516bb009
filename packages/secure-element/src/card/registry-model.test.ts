import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  deleteCommand,
  installCommand,
  installForExtraditionCommand,
  readRegistry,
  SET_STATUS_SCOPE,
  setStatusCommand,
  STATUS_SCOPE,
} from '@sefleet/globalplatform';
import type { Aid, CommandApdu } from '@sefleet/globalplatform';
import { METERING_LOAD_FILE, METERING_MODULE } from '../applets/metering/identifiers.ts';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';
import { seededRng } from '../testing/card-fixture.ts';
import { installDomain, newCard, open } from '../testing/card-fixture.ts';
import { exportCard, importCard } from './create-card.ts';

/** What the reference model knows of an entry. */
interface ModelEntry {
  readonly kind: 'domain' | 'application';
  parent: Aid;
  locked: boolean;
}

type Model = Map<Aid, ModelEntry>;

type Step =
  | {
      readonly step: 'domain' | 'application' | 'delete' | 'delete-related' | 'lock' | 'unlock';
      readonly target: number;
    }
  | { readonly step: 'extradite'; readonly target: number; readonly to: number }
  | { readonly step: 'export' };

const NAMES = Array.from({ length: 6 }, (_, i) => aid(`A0000001515350F00${i}`));
const nameAt = (i: number): Aid => NAMES[i] ?? ISSUER_SECURITY_DOMAIN;

const steps = fc.oneof(
  fc.record({
    step: fc.constantFrom('domain', 'application', 'delete', 'delete-related', 'lock', 'unlock'),
    target: fc.nat(5),
  }),
  fc.record({ step: fc.constant('extradite'), target: fc.nat(5), to: fc.nat(6) }),
  fc.record({ step: fc.constant('export') }),
) as fc.Arbitrary<Step>; // the records are the members of the union

function isBelow(model: Model, target: Aid, above: Aid): boolean {
  for (let at: Aid | undefined = target; at !== undefined; at = model.get(at)?.parent) {
    if (at === above) return true;
  }
  return false;
}

/**
 * The command of a step, and whether the model says that the issuer may carry it out; it changes the model if
 * so.
 */
function apply(
  model: Model,
  step: Exclude<Step, { step: 'export' }>,
): { command: CommandApdu; works: boolean } {
  const target = nameAt(step.target);
  const entry = model.get(target);
  const below = [...model.keys()].filter((other) => other !== target && isBelow(model, other, target));
  switch (step.step) {
    case 'domain':
    case 'application': {
      const works = entry === undefined;
      if (works) model.set(target, { kind: step.step, parent: ISSUER_SECURITY_DOMAIN, locked: false });
      return { command: step.step === 'domain' ? installDomain(target) : installMetering(target), works };
    }
    case 'delete':
    case 'delete-related': {
      const related = step.step === 'delete-related';
      const works = entry !== undefined && (related || below.length === 0);
      if (works) for (const gone of [target, ...below]) model.delete(gone);
      return { command: deleteCommand(aidBytes(target), { related }), works };
    }
    case 'lock':
    case 'unlock': {
      const locking = step.step === 'lock';
      const works = entry !== undefined && entry.locked !== locking;
      if (works) entry.locked = locking;
      return {
        command: setStatusCommand(SET_STATUS_SCOPE.APPLICATION, locking ? 0x80 : 0x07, aidBytes(target)),
        works,
      };
    }
    case 'extradite': {
      const to = nameAt(step.to);
      const host = model.get(to);
      const isDomain = to === ISSUER_SECURITY_DOMAIN || (host?.kind === 'domain' && !host.locked);
      const works = entry !== undefined && isDomain && !isBelow(model, to, target);
      if (works) entry.parent = to;
      return { command: installForExtraditionCommand(aidBytes(to), aidBytes(target)), works };
    }
    default:
      return step satisfies never;
  }
}

function installMetering(instance: Aid): CommandApdu {
  const code = { loadFile: aidBytes(METERING_LOAD_FILE), module: aidBytes(METERING_MODULE) };
  return installCommand({
    ...code,
    instance: aidBytes(instance),
    privileges: 0,
    parameters: fromHex('c900'),
  });
}

test('after any commands of the issuer the registry is what a plain model says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 40 }), async (sequence) => {
      let card = newCard();
      let issuer = await open(card);
      const model: Model = new Map();
      for (const step of sequence) {
        if (step.step === 'export') {
          card = importCard(exportCard(card), { rng: seededRng('again') });
          issuer = await open(card);
          continue;
        }
        const { command, works } = apply(model, step);
        const { sw } = await issuer.transmit(command);
        const unlocking = step.step === 'unlock' && sw === 0x9000;
        // Unlocking what is not locked reads as a move to SELECTABLE, which applications may make.
        if (!unlocking) assert.equal(sw === 0x9000, works, `${step.step}: ${sw.toString(16)}`);
      }
      const entries = await readRegistry(issuer, STATUS_SCOPE.APPLICATIONS);
      const seen = entries.map(
        (entry) => `${entry.aid} ${(entry.lifeCycle & 0x80) !== 0} ${entry.securityDomain}`,
      );
      const expected = [...model].map(([name, entry]) => `${name} ${entry.locked} ${entry.parent}`);
      assert.deepEqual(new Set(seen), new Set(expected));
    }),
    { numRuns: 150 },
  );
});
