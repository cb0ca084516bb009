import { deepEqual, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  checkRehearsal,
  merkleRoot,
  type MeterEvidence,
  type MeterTruth,
  type RehearsalRecord,
} from '@sefleet/evidence';
import { recordRehearsal } from '../testing/rehearsal-record.ts';
import { createSwitchBench, CUT, order, runToEnd } from '../testing/switch-bench.ts';

const HOUR_MS = 3_600_000;
const CONTINUITY = 'every reading is there exactly once and with the right supplier';
const SIGNED = 'the evidence bundle verifies offline';

let sound: RehearsalRecord;
let close: () => Promise<void>;

/** The record with the evidence of its first meter changed, as a liar would who also corrects the root. */
function withEvidence(change: (meter: MeterEvidence) => Partial<MeterEvidence>): RehearsalRecord {
  const [first, ...rest] = sound.bundle.meters;
  ok(first);
  const meters = [{ ...first, ...change(first) }, ...rest];
  return { ...sound, bundle: { ...sound.bundle, meters, root: merkleRoot(meters) } };
}

function withTruth(change: (truth: MeterTruth) => Partial<MeterTruth>): RehearsalRecord {
  const [endpoint, truth] = [...sound.truths][0] ?? [];
  ok(endpoint !== undefined && truth);
  return { ...sound, truths: new Map([...sound.truths, [endpoint, { ...truth, ...change(truth) }]]) };
}

/** Names of the invariants that do not hold. */
function broken(record: RehearsalRecord): string[] {
  return checkRehearsal(record)
    .invariants.filter(({ holds }) => !holds)
    .map(({ name }) => name);
}

describe('the checker catches', () => {
  before(async () => {
    const bench = await createSwitchBench(2);
    const desk = bench.office();
    const switchId = await desk.start(order(bench.endpoints));
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    sound = await recordRehearsal(bench, desk, switchId);
    close = async () => {
      await desk.close();
      await bench.bench.close();
    };
  });
  after(() => close());

  it('nothing in a rehearsal that went well', () => deepEqual(broken(sound), []));

  it('an interval that is billed twice', () => {
    const [line] = sound.billing;
    ok(line);
    const found = broken({ ...sound, billing: [...sound.billing, line] });
    deepEqual(found, ['no energy is billed twice', 'bills add up to the growth of the register']);
  });

  it('an interval that is billed to nobody', () => {
    const found = broken({ ...sound, billing: sound.billing.slice(1) });
    deepEqual(found, ['no energy is billed by nobody', 'bills add up to the growth of the register']);
  });

  it('an interval that the other supplier bills as well', () => {
    const line = sound.billing.find(({ supplier }) => supplier === sound.from);
    ok(line);
    const found = broken({ ...sound, billing: [...sound.billing, { ...line, supplier: sound.to }] });
    ok(found.includes('no energy is billed twice') && found.includes(CONTINUITY));
  });

  it('a reading that is lost', () => {
    ok(
      broken(withTruth(({ records }) => ({ records: records.filter((_, i) => i !== 3) }))).includes(
        CONTINUITY,
      ),
    );
  });

  it('a reading that is there twice', () => {
    ok(
      broken(withTruth(({ records }) => ({ records: [...records, ...records.slice(-1)] }))).includes(
        CONTINUITY,
      ),
    );
  });

  it('a record that was changed', () => {
    const found = broken(
      withTruth(({ records }) => ({
        records: records.map((record, i) => (i === 2 ? record.with(-1, (record.at(-1) ?? 0) ^ 1) : record)),
      })),
    );
    ok(found.includes(CONTINUITY));
  });

  it('a register that grew by more than was ever read', () => {
    const found = broken(withTruth(({ lastRegisterWh }) => ({ lastRegisterWh: lastRegisterWh + 100 })));
    ok(found.includes('bills add up to the growth of the register'));
  });

  it('keys of the old supplier that were not destroyed', () => {
    const kept = withEvidence(({ keyStates }) => ({
      keyStates: keyStates.filter(({ when }) => when !== 'after-removal'),
    }));
    ok(broken(kept).includes("the old supplier's keys are gone and refused"));
  });

  it('an old supplier that is let in', () => {
    const letIn = withEvidence(({ probes }) => ({
      probes: probes.map((probe) => ({ ...probe, sw: '9000' })),
    }));
    ok(broken(letIn).includes('no probe was let in'));
  });

  it('an old supplier that nobody let try', () => {
    ok(broken(withEvidence(() => ({ probes: [] }))).includes("the old supplier's keys are gone and refused"));
  });

  it('a trusted service manager with a key of its own in the fresh domain', () => {
    const peeked = withEvidence(({ keyStates }) => ({
      keyStates: keyStates.map((state) =>
        state.when === 'after-agreement' ? { ...state, keys: [...state.keys, '01/20'] } : state,
      ),
    }));
    ok(broken(peeked).includes('the fresh domain held nothing but the agreed keys'));
  });

  it('a receipt that is forged', () => {
    const forged = withEvidence(({ receipts }) => ({
      receipts: receipts.map((receipt, i) =>
        i === 0
          ? { ...receipt, response: `${receipt.response.slice(0, 6)}00${receipt.response.slice(8)}` }
          : receipt,
      ),
    }));
    ok(broken(forged).includes('receipts verify and their counters follow each other'));
  });

  it('a receipt that is held back', () => {
    const heldBack = withEvidence(({ receipts }) => ({
      receipts: receipts.filter(({ kind }) => kind !== 'extradition'),
    }));
    ok(broken(heldBack).includes('receipts verify and their counters follow each other'));
  });

  it('a meter that is left in the middle', () => {
    ok(
      broken(withEvidence(() => ({ state: 'switched' }))).includes(
        'every meter has come to an end, with a reason where it is not confirmed',
      ),
    );
  });

  it('a switch that came too late', () => {
    const late = withEvidence(({ timings }) => ({
      timings: timings.map((timing) => ({ ...timing, endedAt: CUT + 25 * HOUR_MS })),
    }));
    ok(broken(late).includes('every switch was confirmed before its deadline'));
  });

  it('keys of the new supplier that no card confirmed', () => {
    ok(
      broken(withEvidence(() => ({ newKeyCheckValues: [] }))).includes(
        "the new supplier's keys are confirmed by the card",
      ),
    );
  });

  it('a meter that was taken back with the new supplier still on it', () => {
    const left = withEvidence(() => ({ state: 'rolled-back', reason: 'cancelled' }));
    ok(broken(left).includes(CONTINUITY));
    const name = 'meters that were taken back hold no key of the new supplier';
    const stayed = withEvidence(({ keyStates }) => ({
      state: 'rolled-back',
      reason: 'cancelled',
      keyStates: keyStates.slice(0, 2),
    }));
    ok(broken(stayed).includes(name));
  });

  it('an exchange that the card never saw', () => {
    const invented = withEvidence(({ exchanges }) => ({
      exchanges: [...exchanges, { hop: 'tsm', digest: '00'.repeat(32) }],
    }));
    ok(broken(invented).includes('what hops say they sent is what cards saw'));
  });

  it('a mandate that its giver did not sign', () => {
    const unsigned = withEvidence(({ mandate }) => ({
      mandate: mandate && { ...mandate, text: mandate.text.replace('switch', 'swatch') },
    }));
    ok(broken(unsigned).includes(SIGNED));
  });

  it('evidence that was changed after it was counter-signed', () => {
    ok(broken(withEvidence(() => ({ cardCertificate: '00' }))).includes(SIGNED));
  });

  it('a root that is not the evidence', () => {
    deepEqual(broken({ ...sound, bundle: { ...sound.bundle, root: '00' } }), [SIGNED]);
  });

  it('a secret in the wrong place', () => {
    deepEqual(broken({ ...sound, canaryHits: ['broker.log: record key of somebody'] }), [
      'planted secrets are found with their owners only',
    ]);
  });
});
