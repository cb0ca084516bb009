import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeSealedRecord, deriveRecordKey, openTelemetryRecord, sealTelemetryRecord } from '@sefleet/cose';
import {
  bundleRoot,
  checkRehearsal,
  merkleRoot,
  verifyBundle,
  type EvidenceBundle,
  type MeterEvidence,
  type MeterTruth,
  type RehearsalRecord,
} from '@sefleet/evidence';
import { createRootAuthority } from '@sefleet/pki';
import { isRefused, leaves, touched } from '../testing/tree-leaves.ts';
import { recordRehearsal } from '../testing/rehearsal-record.ts';
import { createSwitchBench, CUT, order, runToEnd } from '../testing/switch-bench.ts';

const HOUR_MS = 3_600_000;
const CONTINUITY = 'every reading is there exactly once and with the right supplier';
const SIGNED = 'the evidence bundle verifies offline';

let sound: RehearsalRecord;
let close: () => Promise<void>;

/** The record with the evidence of its first meter changed, as a liar would who also corrects the roots. */
function withEvidence(change: (meter: MeterEvidence) => Partial<MeterEvidence>): RehearsalRecord {
  const [first, ...rest] = sound.bundle.meters;
  ok(first);
  return {
    ...sound,
    bundle: corrected({ ...sound.bundle, meters: [{ ...first, ...change(first) }, ...rest] }),
  };
}

/** The bundle with roots and counts that fit what is in it. */
function corrected(bundle: EvidenceBundle): EvidenceBundle {
  const { meters } = bundle;
  const switches = bundle.switches.map((order) => {
    return { ...order, meters: meters.length, root: merkleRoot(meters) };
  });
  return { ...bundle, switches, root: bundleRoot(switches) };
}

function withTruth(change: (truth: MeterTruth) => Partial<MeterTruth>): RehearsalRecord {
  const [endpoint, truth] = [...sound.truths][0] ?? [];
  ok(endpoint !== undefined && truth);
  return { ...sound, truths: new Map([...sound.truths, [endpoint, { ...truth, ...change(truth) }]]) };
}

/** Invariants that one of the mutants has broken. */
const caught = new Set<string>();

/** Names of the invariants that do not hold. */
function broken(record: RehearsalRecord): string[] {
  const names = checkRehearsal(record)
    .invariants.filter(({ holds }) => !holds)
    .map(({ name }) => name);
  for (const name of names) caught.add(name);
  return names;
}

/** What the invariant about readings says. */
function continuityDetail(record: RehearsalRecord): string {
  return checkRehearsal(record).invariants.find(({ name }) => name === CONTINUITY)?.detail ?? '';
}

/** The opening record sealed again with one more Wh, as only its supplier could; any other as it is. */
function reseal(bytes: Uint8Array, endpoint: string): Uint8Array {
  const sealed = decodeSealedRecord(bytes);
  const master = sound.recordKeys.get(`${sealed.stakeholder}:${sealed.keyVersion}`);
  ok(master);
  const recordKey = deriveRecordKey(master, endpoint);
  const record = openTelemetryRecord(sealed, recordKey, endpoint);
  if (sealed.stakeholder !== sound.bundle.meters[0]?.to || record.timestampMs !== CUT) return bytes;
  const values = record.values.map(([metric, value]) => [metric, value + 1] as const);
  const { stakeholder, keyVersion } = sealed;
  return sealTelemetryRecord({ stakeholder, keyVersion, endpoint, recordKey, record: { ...record, values } });
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
    const line = sound.billing.find(({ supplier }) => supplier === 'northern-power');
    ok(line);
    const found = broken({ ...sound, billing: [...sound.billing, { ...line, supplier: 'sunrise-energy' }] });
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

  it('an opening reading that is another than the closing one', () => {
    const forged = withTruth((truth) => ({ records: truth.records.map((r) => reseal(r, truth.endpoint)) }));
    ok(continuityDetail(forged).includes('closing and opening reading differ'));
  });

  it('a record between closing and opening one', () => {
    const swapped = withTruth(({ records }) => {
      const at = records.findIndex(
        (record) => decodeSealedRecord(record).stakeholder === sound.bundle.meters[0]?.to,
      );
      return { records: [...records.slice(0, at), ...records.slice(at + 1)] };
    });
    ok(continuityDetail(swapped).includes('closing and opening record were not sealed together'));
  });

  it('cut-over records in the evidence that the meter never sealed', () => {
    const other = withEvidence(({ cutOver }) => ({
      cutOver: cutOver && { ...cutOver, openingRecord: '00'.repeat(32) },
    }));
    ok(continuityDetail(other).includes('other cut-over records'));
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
      exchanges: [...exchanges, { hop: 'tsm' as const, digest: '00'.repeat(32) }],
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

  it('any field of the bundle that was changed, left out or shortened', () => {
    const copy: unknown = JSON.parse(JSON.stringify(sound.bundle));
    equal(isRefused(copy), false);
    let fields = 0;
    for (const leaf of leaves(copy)) {
      const liar = leaf(touched);
      fields++;
      ok(isRefused(liar), `not found: ${JSON.stringify(liar).slice(0, 200)}`);
    }
    ok(fields > 500, String(fields));
  });

  it('any field of the first meter that was changed by somebody who corrects every root', () => {
    const copy: EvidenceBundle = JSON.parse(JSON.stringify(sound.bundle));
    const [first, ...rest] = copy.meters;
    for (const leaf of leaves(first)) {
      // What is no evidence any more, the parser refuses.
      const liar = leaf(touched) as MeterEvidence;
      ok(isRefused(corrected({ ...copy, meters: [liar, ...rest] })), JSON.stringify(liar).slice(0, 300));
    }
  });

  it('a meter that was left out by somebody who corrects every root', () => {
    const { bundle } = sound;
    ok(isRefused(corrected({ ...bundle, meters: bundle.meters.slice(1) })));
  });

  it('a mandate that was given for another meter', () => {
    const other = sound.bundle.meters[1]?.mandate;
    ok(broken(withEvidence(() => ({ mandate: other }))).includes(SIGNED));
  });

  it('a customer who calls a switch forced, to do without the old supplier', () => {
    const forced = withEvidence(({ mandate, closing }) => ({
      verb: 'forced-switch',
      mandate: mandate && { ...mandate, text: mandate.text.replace('"switch"', '"forced-switch"') },
      closing: closing.slice(1),
    }));
    const detail = checkRehearsal(forced).invariants.find(({ name }) => name === SIGNED)?.detail ?? '';
    ok(detail.includes('gives no mandate for a forced-switch'), detail);
  });

  it('an authority that is not the one that the verifier trusts', async () => {
    const now = Date.now();
    const other = await createRootAuthority('test', new Date(now - HOUR_MS), new Date(now + HOUR_MS));
    const held = verifyBundle(sound.bundle, sound.bundle.authority);
    ok(held.every(({ holds }) => holds));
    const failed = verifyBundle(sound.bundle, other.certificatePem).filter(({ holds }) => !holds);
    deepEqual(
      failed.map(({ name }) => name),
      ['authority'],
    );
  });

  it('a new supplier that was let in before the instant, or that nobody let try', () => {
    const name = 'the new supplier was refused before the instant';
    const letIn = withEvidence(({ probes }) => ({ probes: probes.map((one) => ({ ...one, sw: '9000' })) }));
    ok(broken(letIn).includes(name));
    ok(
      broken(withEvidence(({ probes, to }) => ({ probes: probes.filter(({ by }) => by !== to) }))).includes(
        name,
      ),
    );
  });

  it('a key that opens the records of another supplier as well', () => {
    const [master] = sound.recordKeys.values();
    ok(master);
    const shared = new Map([...sound.recordKeys.keys()].map((name) => [name, master]));
    const name = 'records open for the one they were sealed for, and for nobody else';
    ok(broken({ ...sound, recordKeys: shared }).includes(name));
  });

  it('a meter that nobody knows the register of', () => {
    ok(broken({ ...sound, truths: new Map() }).includes('every meter of the switch is accounted for'));
  });

  it('a reason that is in no vocabulary', () => {
    const odd = withEvidence(() => ({ state: 'exception', reason: 'bad luck' }));
    ok(broken(odd).includes('every meter has come to an end, with a reason where it is not confirmed'));
  });

  it('a look-up that the market answered too late, or never', () => {
    const name = 'the market answered every look-up within two hours';
    const late = withEvidence(({ lookUp }) => ({
      lookUp: lookUp && { ...lookUp, answeredAt: lookUp.askedAt + 2 * HOUR_MS + 1 },
    }));
    ok(broken(late).includes(name));
    ok(broken(withEvidence(() => ({ lookUp: undefined }))).includes(name));
  });

  it('an attack that was played and not found', () => {
    const [meter] = sound.bundle.meters;
    ok(meter);
    const name = 'no meter is confirmed on which an attack or a fault that must be found was played';
    for (const fault of ['swap', 'tsm-preload', 'foreign-certificate', 'expired-certificate', 'se-full'])
      deepEqual(broken({ ...sound, faults: new Map([[meter.endpoint, [fault]]]) }), [name]);
    deepEqual(broken({ ...sound, faults: new Map([[meter.endpoint, ['drift', 'lost-ack']]]) }), []);
  });

  it('a bill that takes a register that rolled over for one that ran backwards', () => {
    const [endpoint, truth] = [...sound.truths][0] ?? [];
    const line = sound.billing.find((bill) => bill.endpoint === endpoint);
    ok(truth && line);
    const billing = sound.billing.map((bill) =>
      bill === line ? { ...bill, energyWh: bill.energyWh - (truth.capacityWh ?? 0) } : bill,
    );
    const found = broken({ ...sound, billing });
    ok(found.includes('bills add up to the growth of the register') && found.includes(CONTINUITY));
  });

  it('a secret in the wrong place', () => {
    deepEqual(broken({ ...sound, canaryHits: ['broker.log: record key of somebody'] }), [
      'planted secrets are found with their owners only',
    ]);
  });

  it('every invariant that it lists by one of these', () => {
    const listed = checkRehearsal(sound).invariants.map(({ name }) => name);
    deepEqual(
      listed.filter((name) => !caught.has(name)),
      [],
    );
  });
});
