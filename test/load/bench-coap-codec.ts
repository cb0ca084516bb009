/**
 * The message codec beside coap-packet, which node-coap uses: a request and a response of usual size, one
 * thread.
 * `node test/load/bench-coap-codec.ts [--json] [--rounds 5]`
 */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { decodeMessage, encodeMessage, OPTION, stringOption, uintOption } from '@sefleet/coap';
import { generate, parse } from 'coap-packet';

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '5' } },
});
const CALLS = 300_000;

const message = {
  type: 0,
  code: 2,
  messageId: 0x1234,
  token: Uint8Array.of(1, 2, 3, 4),
  options: [
    stringOption(OPTION.URI_PATH, 'rd'),
    stringOption(OPTION.URI_PATH, '4711'),
    uintOption(OPTION.CONTENT_FORMAT, 40),
    stringOption(OPTION.URI_QUERY, 'lt=300'),
    stringOption(OPTION.URI_QUERY, 'b=U'),
  ],
  payload: new Uint8Array(48).fill(0x78),
} as const;
const bytes = Buffer.from(encodeMessage(message));
const theirs = {
  confirmable: true,
  code: '0.02',
  messageId: 0x1234,
  token: Buffer.from(message.token),
  options: message.options.map(({ number, value }) => ({ name: number, value: Buffer.from(value) })),
  payload: Buffer.from(message.payload),
};

const rows = [
  row('coap-codec-parse', 'sefleet', () => decodeMessage(bytes)),
  row('coap-codec-parse', 'coap-packet', () => parse(bytes)),
  row('coap-codec-generate', 'sefleet', () => encodeMessage(message)),
  row('coap-codec-generate', 'coap-packet', () => generate(theirs)),
];
if (values.json) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const head = { benchmark: 'coap-codec', commit, node: process.version, cpus: cpus().length };
  console.log(JSON.stringify({ ...head, results: rows }, null, 2));
} else {
  for (const { name, subject, value, unit, minimum, maximum } of rows) {
    console.log(`${name.padEnd(22)} ${subject.padEnd(12)} ${value} ${unit} (${minimum} to ${maximum})`);
  }
}

function row(name: string, subject: string, call: () => unknown) {
  const rounds: number[] = [];
  for (let round = 0; round <= Number(values.rounds); round++) {
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) call();
    // The first round warms up.
    if (round > 0) rounds.push(Math.round(((performance.now() - start) / CALLS) * 1e6));
  }
  rounds.sort((a, b) => a - b);
  const value = rounds[Math.floor(rounds.length / 2)] ?? 0;
  const spread = { minimum: rounds[0] ?? 0, maximum: rounds.at(-1) ?? 0 };
  return { name, subject, value, unit: 'ns', better: 'lower', ...spread } as const;
}
