import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import ajv2020 from 'ajv/dist/2020.js';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { create } from '@bufbuild/protobuf';
import { switching } from '@sefleet/api';
import { SWITCH_REASONS, type EvidenceBundle, type MeterEvidence } from '@sefleet/evidence';
import type { RehearsalPlan } from '../rehearsal/rehearsal-plan.ts';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';
import { AT_ONCE } from '../switching/pacing.ts';
import { csv } from './csv.ts';
import { htmlReport } from './html-report.ts';
import { passed, summariseRehearsal } from './rehearsal-summary.ts';
import { courseLines, courseOf, type SwitchCourse } from './switch-course.ts';
import { writeReport } from './write-report.ts';

const CUT = Date.UTC(2026, 5, 1);
const NASTY = '"><script>alert(1)</script>';

const COURSE: SwitchCourse = {
  from: 'northern-power',
  to: 'sunrise-energy',
  ratePerMinute: 30,
  begunPerMinuteMax: 30,
  cutOverPerMinuteMax: 29,
  waves: [
    { percent: 5, preparedAt: '2026-05-31T20:00:00.000Z' },
    { percent: 95, preparedAt: '' },
  ],
  wavePauseSeconds: 60,
  stopAbovePercent: 10,
  interruptions: [
    { from: '2026-05-31T21:00:00.000Z', until: '2026-05-31T21:02:00.000Z', stopped: '' },
    { from: '2026-05-31T22:00:00.000Z', until: '', stopped: NASTY },
  ],
  cancelled: true,
};

const plan: RehearsalPlan = {
  story: 'supplier-switch',
  meters: 1,
  from: 'northern-power',
  to: 'sunrise-energy',
  third: 'harbour-light',
  noticeMs: 0,
  cutOverAt: undefined,
  market: 'DE',
  compress: 60,
  faults: new Map([['offline', 2]]),
  seed: 1,
  pacing: { ...AT_ONCE, concurrency: 1 },
  verb: 'switch',
  intervalMinutes: 15,
  windowHours: 6,
  kills: [],
};

function result(holds: boolean): RehearsalResult {
  const meter = {
    endpoint: NASTY,
    from: 'northern-power',
    to: 'sunrise-energy',
    cutOverAt: CUT,
    tokens: {},
    state: 'exception',
    reason: 'se-full',
    timings: [],
    keyStates: [],
    probes: [],
    newKeyCheckValues: [],
  } as unknown as MeterEvidence;
  const bundle: EvidenceBundle = {
    format: 'sefleet-evidence-bundle-2',
    switches: [],
    authority: '',
    parties: [],
    meters: [meter],
    root: 'r',
  };
  return {
    verdict: {
      meters: 1,
      switched: 0,
      rolledBack: 0,
      exceptions: { 'se-full': 1 },
      gapWh: 0,
      overlapWh: 0,
      residualWh: 0,
      oldSupplierProbes: 0,
      oldSupplierProbesRefused: 0,
      canaryHits: 0,
      receiptsVerified: 0,
      invariants: [{ name: 'a & b', holds, detail: NASTY }],
      faults: [{ fault: 'se-full', played: 1, survived: 0, rolledBack: 0, exceptions: 1, detected: 1 }],
      accounts: [],
      misbillings: [],
      intervals: [],
    },
    bundle,
    parties: [],
    truths: new Map(),
    timeZone: 'Europe/Berlin',
    scans: [],
    kills: [],
    load: {
      samples: [],
      commandsPerSecondMax: 0,
      workingMax: 0,
      backlogMax: 0,
      services: [
        {
          service: 'provisioning',
          cpuPercentMax: 1,
          cpuSeconds: 0.5,
          memoryMiBMax: 9,
          warnings: 2,
          errors: 0,
        },
      ],
      network: undefined,
    },
    ground: 'light',
    details: new Map([[NASTY, 'no "room"']]),
    courses: [COURSE],
    cutOverAt: CUT,
    startedAt: CUT,
    endedAt: CUT,
    phasesMs: { switch: 1 },
  };
}

/** The published schema, as an independent validator reads it; strict: a keyword that it does not know is an error. */
function validator(): (value: unknown) => readonly unknown[] {
  const ajv = new ajv2020.default({ strict: true, allowUnionTypes: true, allErrors: true });
  ajv.addFormat('date-time', { validate: (text: string) => !Number.isNaN(Date.parse(text)) });
  const validate = ajv.compile(
    JSON.parse(readFileSync(new URL('summary.schema.json', import.meta.url), 'utf8')),
  );
  return (value) => (validate(value) ? [] : (validate.errors ?? []));
}

const CONTRACT =
  'meters switched rolledBack exceptions gapWh overlapWh residualWh oldSupplierProbes oldSupplierProbesRefused ' +
  'canaryHits receiptsVerified durationMs timingsMs invariants';

describe('the summary', () => {
  const problems = validator();
  const summary = JSON.parse(JSON.stringify(summariseRehearsal(plan, result(false), 1234.5, '1.0.0')));

  it('keeps its published schema, and has every key of the contract', () => {
    deepEqual(problems(summary), []);
    deepEqual(
      CONTRACT.split(' ').filter((key) => !Object.hasOwn(summary, key)),
      [],
    );
    deepEqual(summary.peakLoad.network, null);
    deepEqual(summary.timingsMs.registeredWithBoth, null);
  });

  it('would be found if it broke its schema', () => {
    const wrong: readonly Record<string, unknown>[] = [
      { gapWh: 'none' },
      { extra: 1 },
      { meters: -1 },
      { exceptions: { 'bad luck': 1 } },
      { exceptions: { 'se-full': 0 } },
      { peakLoad: { ...summary.peakLoad, network: 0 } },
      { run: { ...summary.run, startedAt: 'yesterday' } },
      { invariants: [{ name: 'a', holds: 'yes', detail: '' }] },
    ];
    for (const change of wrong) ok(problems({ ...summary, ...change }).length > 0, JSON.stringify(change));
    for (const key of CONTRACT.split(' '))
      ok(
        problems(Object.fromEntries(Object.entries(summary).filter(([name]) => name !== key))).length > 0,
        key,
      );
  });

  it('names reasons by the vocabulary of the evidence, with what they mean and what to do', () => {
    const schema = JSON.parse(readFileSync(new URL('summary.schema.json', import.meta.url), 'utf8'));
    deepEqual(
      schema.$defs.reason.oneOf,
      Object.entries(SWITCH_REASONS).map(([code, { meaning, action }]) => {
        return { const: code, description: `${meaning} ${action}` };
      }),
    );
  });
});

describe('the course of a switch', () => {
  it('is told where somebody asked for one, and counted in the evidence', () => {
    deepEqual(courseLines(COURSE), [
      'rate: 30 a minute at the most; the busiest began 30 and cut over 29',
      'waves: 5 % prepared or over at 2026-05-31T20:00:00.000Z; 95 % never passed, 60 s between them',
      'paused from 2026-05-31T21:00:00.000Z to 2026-05-31T21:02:00.000Z',
      `stopped by itself from 2026-05-31T22:00:00.000Z to the end: ${NASTY}`,
      'cancelled: meters were taken back as far as they could be',
    ]);
    const state = create(switching.GetSwitchResponseSchema, { switchId: 's', total: 3n });
    const meters = [0, 30_000, 60_000].map((startedAt) => {
      return { switchId: 's', timings: [{ step: 'mandate', startedAt, endedAt: startedAt, attempts: 1 }] };
    });
    const course = courseOf(state, meters as unknown as MeterEvidence[]);
    deepEqual([course.begunPerMinuteMax, course.cutOverPerMinuteMax], [2, 0]);
    deepEqual(courseLines(course), []);
  });
});

describe('the report of a rehearsal', () => {
  it('is there for people, programs, CI and spreadsheets, and escapes what it is told', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'report-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const summary = summariseRehearsal(plan, result(false), 1234.5, '1.0.0');
    writeReport(folder, summary, result(false));
    const names = [
      'bundle.json',
      'exceptions.csv',
      'index.html',
      'intervals.csv',
      'junit.xml',
      'meters.csv',
      'misbillings.csv',
      'summary.json',
      'summary.schema.json',
    ];
    deepEqual(readdirSync(folder).toSorted(), names);
    const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
    ok(!text('index.html').includes('<script>') && !text('junit.xml').includes('<script>'));
    ok(!/https?:\/\//.test(text('index.html')), 'nothing from anywhere else');
    equal(XMLValidator.validate(text('junit.xml')), true);
    deepEqual(new XMLParser({ ignoreAttributes: false }).parse(text('junit.xml')).testsuite, {
      '@_name': 'supplier switch',
      '@_tests': '1',
      '@_failures': '1',
      '@_time': '1.235',
      testcase: { '@_classname': 'rehearsal', '@_name': 'a & b', failure: { '@_message': NASTY } },
    });
    equal(
      text('exceptions.csv').split('\r\n')[1],
      `"""><script>alert(1)</script>","exception","se-full","no ""room"""`,
    );
    equal(text('meters.csv').split('\r\n').length, 3);
    ok(text('intervals.csv').startsWith('"end","expected","received","by supplier"'));
  });

  it('gives spreadsheets no formula', () => {
    equal(csv(['a'], [['=1+1'], ['-5'], [-5]]), `"a"\r\n"'=1+1"\r\n"'-5"\r\n"-5"\r\n`);
  });

  it('stays small however many devices there are: the rest stands in files beside it', () => {
    const one = result(false);
    const [meter] = one.bundle.meters;
    ok(meter);
    const meters = Array.from({ length: 20_000 }, (_, i) => ({ ...meter, endpoint: `urn:dev:m-${i}` }));
    const many = { ...one, bundle: { ...one.bundle, meters } };
    const page = htmlReport(summariseRehearsal(plan, many, 1, '1'), many);
    ok(page.length < 200_000, String(page.length));
    ok(page.includes('19950 more: exceptions.csv'));
  });

  it('passes only when every invariant holds', () => {
    equal(passed(summariseRehearsal(plan, result(true), 1, '1')), true);
    equal(passed(summariseRehearsal(plan, result(false), 1, '1')), false);
  });
});
