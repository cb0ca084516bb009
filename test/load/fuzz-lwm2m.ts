/**
 * Broken payloads against every decoder of LwM2M: nothing but a decoder's own error may come out, what
 * decodes must encode again, and no input may take long.
 * `node test/load/fuzz-lwm2m.ts [--count 1000000] [--seed 1] [--json]`
 */
import { parseArgs } from 'node:util';
import { isSefleetError } from '@sefleet/errors';
import {
  CONTENT_FORMAT,
  createModelRegistry,
  decodeBootstrapFile,
  decodeContent,
  decodeLinks,
  encodeBootstrapFile,
  encodeContent,
  encodeLinks,
  findBootstrapFile,
  findDodf,
  linkPath,
  Lwm2mPath,
  omaModels,
  parseAttributeQueries,
  parseExecuteArguments,
  parseModelXml,
  parseRegistration,
} from '@sefleet/lwm2m';
import type { ContentFormat, Lwm2mEntry } from '@sefleet/lwm2m';
import { createSeededRng } from '@sefleet/runtime/sim';
import { mutate } from './coap/mutations.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

/** One decode; a payload of some hundred bytes takes microseconds. */
const SLOW_MS = 200;
const models = omaModels();
const rng = createSeededRng(Number(values.seed));
const FORMATS = Object.values(CONTENT_FORMAT).filter((format) => format !== CONTENT_FORMAT.LINK);
const BASES = ['/', '/3', '/3/0', '/3/0/9', '/3/0/6', '/3/0/6/1', '/3303/0/5700', '/5/0/0', '/1/0/10'];
const DEVICE: readonly Lwm2mEntry[] = [
  { path: Lwm2mPath.parse('/3/0/0'), value: 'sefleet' },
  { path: Lwm2mPath.parse('/3/0/6/0'), value: 1 },
  { path: Lwm2mPath.parse('/3/0/6/1'), value: 5 },
  { path: Lwm2mPath.parse('/3/0/9'), value: 100 },
  { path: Lwm2mPath.parse('/3/0/13'), value: 1_767_225_600 },
];

/** The same device once more, behind a gateway. */
const BEHIND = DEVICE.map((entry) => ({ ...entry, prefix: 'd1' }));
const PREFIXES = [undefined, undefined, 'd1', 'd2'];

type Target = (data: Uint8Array) => void;
interface Subject {
  readonly name: string;
  readonly corpus: Uint8Array[];
  readonly run: Target;
}

const DEFINITION = `<LWM2M><Object ObjectType="MODefinition"><Name>Boiler</Name><ObjectID>32769</ObjectID>
<ObjectVersion>1.2</ObjectVersion><MultipleInstances>Multiple</MultipleInstances><Resources>
<Item ID="0"><Name>Set Point</Name><Operations>RW</Operations><Type>Float</Type>
<RangeEnumeration>5..95</RangeEnumeration></Item></Resources></Object></LWM2M>`;

const subjects: readonly Subject[] = [
  ...FORMATS.map((format) => contentSubject(format)),
  {
    name: 'link format',
    corpus: [text('</>;rt="oma.lwm2m";ct="110 112",</3/0/7>;dim=2;pmin=10,</d1/3303/0>')],
    run: (data) => {
      const links = decodeLinks(data);
      for (const link of links) linkPath(link, '/x');
      decodeLinks(encodeLinks(links));
    },
  },
  {
    name: 'registration',
    corpus: [text('ep=a&lt=300&lwm2m=1.1&b=UQ&Q</1/0>,</3>;ver=1.1,</3/0>')],
    run: (data) => {
      const whole = Buffer.from(data).toString('latin1');
      const at = Math.max(0, whole.indexOf('<'));
      parseRegistration(whole.slice(0, at).split('&'), data.subarray(at));
    },
  },
  {
    name: 'bootstrap file',
    corpus: [encodeBootstrapFile([{ objectId: 3, entries: DEVICE }], models)],
    run: (data) => {
      findDodf(data);
      findBootstrapFile(data);
      encodeBootstrapFile(decodeBootstrapFile(data, models), models);
    },
  },
  {
    name: 'object definition',
    corpus: [text(DEFINITION)],
    run: (data) => void createModelRegistry(parseModelXml(Buffer.from(data).toString('utf8'))),
  },
  {
    name: 'execute arguments and attributes',
    corpus: [text(`0='abc',2,9=''`), text('pmin=10&gt=25.5&st')],
    run: (data) => {
      const line = Buffer.from(data).toString('utf8');
      if (line.includes('&')) parseAttributeQueries(line.split('&'));
      else parseExecuteArguments(line);
    },
  },
];

const count = Number(values.count);
const started = performance.now();
const tally = { decoded: 0, refused: 0 };
for (let i = 0; i < count; i++) {
  const subject = pick(subjects);
  const seed = pick(subject.corpus);
  const data = rng.fraction() < 0.1 ? rng.bytes(Math.floor(rng.fraction() * 80)) : mutate(seed, rng);
  attempt(subject, data, i);
}
report();

function attempt(subject: Subject, data: Uint8Array, index: number): void {
  const before = performance.now();
  try {
    subject.run(data);
    tally.decoded++;
    // What still decodes leads further in.
    if (subject.corpus.length < 200) subject.corpus.push(data.slice(0, 400));
  } catch (error) {
    if (!isSefleetError(error)) fail(subject, data, index, error);
    tally.refused++;
  }
  const tookMs = performance.now() - before;
  // Once may be the machine's fault, not the input's.
  if (tookMs > SLOW_MS && isSlow(subject, data)) fail(subject, data, index, `took ${tookMs.toFixed(0)} ms`);
}

function isSlow({ run }: Subject, data: Uint8Array): boolean {
  const before = performance.now();
  try {
    run(data);
  } catch {
    // What it throws was looked at before.
  }
  return performance.now() - before > SLOW_MS;
}

function contentSubject(format: ContentFormat): Subject {
  const single = Lwm2mPath.parse('/3/0/9');
  const corpus: Uint8Array[] = [];
  for (const [base, entries] of [
    [Lwm2mPath.parse('/3/0'), DEVICE],
    [single, DEVICE.filter(({ path }) => path.equals(single))],
    [Lwm2mPath.ROOT, [...DEVICE, ...BEHIND]],
  ] as const) {
    try {
      corpus.push(encodeContent(format, base, entries, models));
    } catch (error) {
      if (!isSefleetError(error)) throw error;
    }
  }
  if (corpus.length === 0) corpus.push(text('opaque'));
  return {
    name: `content format ${format}`,
    corpus,
    run: (data) => {
      const base = Lwm2mPath.parse(pick(BASES));
      const entries = decodeContent(format, base, data, models, {
        nowSeconds: 1_767_225_600,
        newInstanceId: 3,
        prefix: pick(PREFIXES),
      });
      encodeContent(format, base, entries, models);
    },
  };
}

function report(): void {
  const seconds = (performance.now() - started) / 1000;
  const summary = { fuzz: 'lwm2m', seed: Number(values.seed), inputs: count, ...tally, seconds };
  if (values.json) console.log(JSON.stringify(summary));
  else
    console.log(
      `${count} inputs, ${tally.decoded} decoded, ${tally.refused} refused, ${seconds.toFixed(1)} s`,
    );
}

function fail(subject: Subject, data: Uint8Array, index: number, error: unknown): never {
  console.error(
    `${subject.name}, input ${index} of seed ${values.seed}: ${Buffer.from(data).toString('hex')}`,
  );
  console.error(error);
  process.exit(1);
}

function pick<T>(from: readonly T[]): T {
  const index = Math.floor(rng.fraction() * from.length);
  // The index is below the length.
  return from[index] as T;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
