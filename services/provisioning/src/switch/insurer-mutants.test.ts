import { deepEqual, ok } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeSealedRecord, deriveRecordKey, openTelemetryRecord, sealTelemetryRecord } from '@sefleet/cose';
import {
  bundleRoot,
  checkRehearsal,
  merkleRoot,
  type MeterEvidence,
  type MeterTruth,
  type RehearsalRecord,
} from '@sefleet/evidence';
import { recordRehearsal } from '../testing/rehearsal-record.ts';
import { createSwitchBench, CUT, order, runToEnd } from '../testing/switch-bench.ts';

const HOUR_MS = 3_600_000;
const REMOVED_AT = CUT + 4 * HOUR_MS;
const [SHIELD, BEACON, MAKER] = ['shield-insurance', 'beacon-insurance', 'apex-motors'] as const;
const CONTINUITY = 'every reading is there exactly once and with the right supplier';
const SIGNED = 'the evidence bundle verifies offline';
const BESIDE = 'who is not concerned keeps its keys, and they open nothing to others';
const GONE = "the old supplier's keys are gone and refused";
const READERS = 'records open for the one they were sealed for, and for nobody else';

let sound: RehearsalRecord;
let close: () => Promise<void>;

/** The record with the evidence of the addition or the removal changed, and every root corrected. */
function withEvidence(
  verb: 'add' | 'remove',
  change: (meter: MeterEvidence) => Partial<MeterEvidence>,
): RehearsalRecord {
  const meters = sound.bundle.meters.map((meter) =>
    meter.verb === verb ? { ...meter, ...change(meter) } : meter,
  );
  const switches = sound.bundle.switches.map((one) => {
    return { ...one, root: merkleRoot(meters.filter(({ switchId }) => switchId === one.switchId)) };
  });
  return { ...sound, bundle: { ...sound.bundle, meters, switches, root: bundleRoot(switches) } };
}

function withRecords(change: (truth: MeterTruth) => readonly Uint8Array[]): RehearsalRecord {
  const truths = [...sound.truths].map(
    ([endpoint, truth]) => [endpoint, { ...truth, records: change(truth) }] as const,
  );
  return { ...sound, truths: new Map(truths) };
}

function broken(record: RehearsalRecord): string[] {
  return checkRehearsal(record)
    .invariants.filter(({ holds }) => !holds)
    .map(({ name }) => name);
}

function detailOf(record: RehearsalRecord, invariant: string): string {
  return checkRehearsal(record).invariants.find(({ name }) => name === invariant)?.detail ?? '';
}

/** A record sealed anew: under another number, at another time, or with the key of somebody else. */
function resealed(
  bytes: Uint8Array,
  { endpoint }: MeterTruth,
  changes: { readonly timestampMs?: number; readonly sequence?: number; readonly keyOf?: string },
): Uint8Array {
  const { stakeholder, keyVersion } = decodeSealedRecord(bytes);
  const keyOf = (party: string): Uint8Array =>
    deriveRecordKey(sound.recordKeys.get(`${party}:${keyVersion}`) ?? new Uint8Array(), endpoint);
  const record = openTelemetryRecord(decodeSealedRecord(bytes), keyOf(stakeholder), endpoint);
  const recordKey = keyOf(changes.keyOf ?? stakeholder);
  const { keyOf: _, ...facts } = changes;
  return sealTelemetryRecord({
    stakeholder,
    keyVersion,
    endpoint,
    recordKey,
    record: { ...record, ...facts },
  });
}

describe('of an insurer that is added and one that is removed, the checker catches', () => {
  before(async () => {
    const bench = await createSwitchBench(1, {}, 'obu');
    const desk = bench.office();
    const plain = { ...order(bench.endpoints), from: SHIELD, to: BEACON };
    const added = await desk.start({ ...plain, verb: 'add' });
    await runToEnd(desk, bench.ground, added, CUT + HOUR_MS);
    const going = { ...plain, verb: 'remove' as const, requestId: 'remove', cutOverAt: REMOVED_AT };
    const removed = await desk.start(going);
    await runToEnd(desk, bench.ground, removed, REMOVED_AT + HOUR_MS);
    sound = await recordRehearsal(bench, desk, added, removed);
    close = async () => {
      await desk.close();
      await bench.bench.close();
    };
  });
  after(() => close());

  it('nothing when all went well', () => deepEqual(broken(sound), []));

  it('one that was added without a mandate', () => {
    const record = withEvidence('add', () => ({ mandate: undefined }));
    ok(broken(record).includes(SIGNED));
    ok(detailOf(record, SIGNED).includes('nobody gave a mandate'));
  });

  it('one that was added by the mandate to remove the other', () => {
    const other = sound.bundle.meters.find(({ verb }) => verb === 'remove')?.mandate;
    const record = withEvidence('add', () => ({ mandate: other }));
    ok(detailOf(record, SIGNED).includes('the mandate is for something else'));
  });

  it('a mandate for another card', () => {
    const record = withEvidence('add', ({ mandate }) => ({
      mandate: mandate && { ...mandate, text: mandate.text.replace(/"card":"../, '"card":"ee') },
    }));
    ok(detailOf(record, SIGNED).includes('the mandate is for another card'));
  });

  it('a mandate that was not in force', () => {
    const record = withEvidence('add', ({ mandate }) => ({
      mandate: mandate && { ...mandate, text: mandate.text.replace(/"validUntil":\d+/, '"validUntil":1') },
    }));
    ok(detailOf(record, SIGNED).includes('not in force'));
  });

  it('a mandate of the maker of the vehicle', () => {
    const record = withEvidence('add', ({ mandate }) => ({
      mandate: mandate && { ...mandate, party: MAKER },
    }));
    ok(detailOf(record, SIGNED).includes('is not the owner'));
  });

  it('a mandate that was used twice', () => {
    const nonce = /"nonce":"[0-9a-f]*"/;
    const [first = ''] =
      nonce.exec(sound.bundle.meters.find(({ verb }) => verb === 'add')?.mandate?.text ?? '') ?? [];
    const record = withEvidence('remove', ({ mandate }) => ({
      mandate: mandate && { ...mandate, text: mandate.text.replace(nonce, first) },
    }));
    ok(detailOf(record, SIGNED).includes('has the mandate of'));
  });

  it('keys of the removed insurer that were not destroyed', () => {
    const record = withEvidence('remove', ({ keyStates }) => ({
      keyStates: keyStates.filter(({ when }) => when !== 'after-removal'),
    }));
    ok(broken(record).includes(GONE));
  });

  it('a removed insurer that nobody let try its keys', () => {
    const record = withEvidence('remove', ({ probes, from }) => ({
      probes: probes.filter(({ by }) => by !== from),
    }));
    ok(broken(record).includes(GONE));
  });

  it('a removal without the receipts of what was deleted', () => {
    const record = withEvidence('remove', () => ({ receipts: [] }));
    ok(broken(record).includes('receipts verify and their counters follow each other'));
  });

  it('keys of the other insurer that are not those of before', () => {
    for (const verb of ['add', 'remove'] as const) {
      const record = withEvidence(verb, ({ keyStates }) => ({
        keyStates: keyStates.map((state) =>
          state.when === 'beside-after' ? { ...state, keys: ['01/31', '02/31', '03/31'] } : state,
        ),
      }));
      ok(broken(record).includes(BESIDE), verb);
    }
  });

  it('another insurer whom nobody looked at', () => {
    for (const verb of ['add', 'remove'] as const) {
      const record = withEvidence(verb, ({ keyStates }) => ({
        keyStates: keyStates.filter(({ when }) => when !== 'beside-before'),
      }));
      ok(broken(record).includes(BESIDE), verb);
    }
  });

  it('an added insurer whose keys nobody tried on the other domain', () => {
    ok(broken(withEvidence('add', () => ({ probes: [] }))).includes(BESIDE));
  });

  it('a record of the other insurer that is lost while one comes', () => {
    const record = withRecords(({ records }) => {
      const own = records.filter((bytes) => decodeSealedRecord(bytes).stakeholder === SHIELD);
      return records.filter((bytes) => bytes !== own[9]);
    });
    ok(broken(record).includes(CONTINUITY));
  });

  it('a record of the other insurer that is missing after one has gone', () => {
    ok(broken(withRecords(({ records }) => records.slice(0, -1))).includes(CONTINUITY));
  });

  it('readings for the added insurer from before its contract', () => {
    const early = withRecords((truth) => {
      const at = truth.records.findIndex((bytes) => decodeSealedRecord(bytes).stakeholder === BEACON);
      const opening = truth.records[at] ?? new Uint8Array();
      const { sequence } = decodeSealedRecord(opening);
      const before = { timestampMs: CUT - HOUR_MS, sequence: sequence - 1 };
      return truth.records.toSpliced(at, 0, resealed(opening, truth, before));
    });
    ok(detailOf(early, CONTINUITY).includes('the added party'), detailOf(early, CONTINUITY));
  });

  it('readings for the removed insurer from after its contract', () => {
    const late = withRecords((truth) => {
      const at = truth.records.findLastIndex((bytes) => decodeSealedRecord(bytes).stakeholder === SHIELD);
      const closing = truth.records[at] ?? new Uint8Array();
      const { sequence } = decodeSealedRecord(closing);
      const after = { timestampMs: REMOVED_AT + HOUR_MS / 4, sequence: sequence + 1 };
      return [...truth.records, resealed(closing, truth, after)];
    });
    ok(detailOf(late, CONTINUITY).includes('the removed party'), detailOf(late, CONTINUITY));
  });

  it('a number of a record that was used twice', () => {
    const again = withRecords((truth) => [...truth.records, ...truth.records.slice(-1)]);
    ok(detailOf(again, CONTINUITY).includes('used twice') || detailOf(again, CONTINUITY).includes('follows'));
  });

  it('what one insurer bills for the other, or for a time without a contract', () => {
    const line = sound.billing.find(({ supplier, from }) => supplier === SHIELD && from < CUT);
    ok(line);
    const early = { ...sound, billing: [...sound.billing, { ...line, supplier: BEACON }] };
    ok(broken(early).includes('bills add up to the growth of the register'));
    const nobody = { ...sound, billing: sound.billing.filter((one) => one !== line) };
    ok(broken(nobody).includes('no energy is billed by nobody'));
  });

  it('a maker of the vehicle who can read what is sealed for an insurer', () => {
    const copied = new Map(sound.recordKeys);
    copied.set(`${MAKER}:1`, sound.recordKeys.get(`${BEACON}:1`) ?? new Uint8Array());
    deepEqual(broken({ ...sound, recordKeys: copied }), [READERS]);
    const toMaker = withRecords((truth) =>
      truth.records.map((bytes) =>
        decodeSealedRecord(bytes).stakeholder === BEACON ? resealed(bytes, truth, { keyOf: MAKER }) : bytes,
      ),
    );
    ok(broken(toMaker).includes(READERS) && broken(toMaker).includes(CONTINUITY));
  });

  it('an insurer who can read what is sealed for the other', () => {
    const copied = new Map(sound.recordKeys);
    copied.set(`${SHIELD}:1`, sound.recordKeys.get(`${BEACON}:1`) ?? new Uint8Array());
    ok(broken({ ...sound, recordKeys: copied }).includes(READERS));
  });

  it('a maker of the vehicle who gets at the domain of an insurer', () => {
    const record = withEvidence('add', ({ probes }) => ({
      probes: probes.map((probe) => (probe.by === MAKER ? { ...probe, sw: '9000' } : probe)),
    }));
    ok(broken(record).includes('no probe was let in'));
  });
});
