/**
 * `npm test`: every check, one after the other, and one line with the sum at the end.
 * `npm test -- unit interop` runs only the named steps.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Step {
  readonly name: string;
  /** A check that passes or fails as a whole. */
  readonly command?: readonly string[];
  /** Test files, and whether each gets a process of its own. */
  readonly tests?: { readonly files: readonly string[]; readonly ownProcess: boolean };
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const TEST_TIMEOUT_MS = 240_000;

const STEPS: readonly Step[] = [
  { name: 'typecheck', command: ['tsc', '--noEmit'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['oxfmt', '--check', '.'] },
  { name: 'unused', command: ['knip', '--no-progress'] },
  { name: 'architecture', tests: { files: ['test/architecture/**/*.test.ts'], ownProcess: false } },
  { name: 'unit', tests: { files: ['packages/*/src/**/*.test.ts'], ownProcess: false } },
  { name: 'services', tests: { files: ['services/*/src/**/*.test.ts'], ownProcess: true } },
  { name: 'conformance', tests: { files: ['test/conformance/**/*.test.ts'], ownProcess: false } },
  { name: 'simulation', tests: { files: ['test/simulation/**/*.test.ts'], ownProcess: false } },
  { name: 'integration', tests: { files: ['test/integration/**/*.test.ts'], ownProcess: true } },
  { name: 'containers', tests: { files: ['test/containers/**/*.test.ts'], ownProcess: true } },
  { name: 'interop', tests: { files: ['test/interop/**/*.test.ts'], ownProcess: true } },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(', ')}; there are ${STEPS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const step of STEPS) {
  if (wanted.length > 0 && !wanted.includes(step.name)) continue;
  const startedMs = performance.now();
  console.log(`\n== ${step.name}`);
  const counts = step.tests === undefined ? runCheck(step) : runTests(step.tests);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(
    `== ${step.name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds} s`,
  );
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

function runCheck({ command = [] }: Step): Counts {
  const [program = '', ...args] = command;
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 };
}

function runTests({ files, ownProcess }: NonNullable<Step['tests']>): Counts {
  const found = files.flatMap((pattern) => globSync(pattern)).toSorted();
  if (found.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const folder = mkdtempSync(join(tmpdir(), 'sefleet-test-'));
  const report = join(folder, 'report.tap');
  try {
    const { status } = spawnSync(
      process.execPath,
      [
        '--test',
        `--test-isolation=${ownProcess ? 'process' : 'none'}`,
        ...(ownProcess ? ['--test-concurrency=2'] : []),
        `--test-timeout=${TEST_TIMEOUT_MS}`,
        '--test-force-exit',
        '--test-reporter=dot',
        '--test-reporter-destination=stdout',
        '--test-reporter=tap',
        `--test-reporter-destination=${report}`,
        ...found,
      ],
      { stdio: 'inherit' },
    );
    return readCounts(readFileSync(report, 'utf8'), status);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The runner's own closing counts; a run that ended badly without counting a failure is a failure. */
function readCounts(report: string, status: number | null): Counts {
  const count = (name: string): number => Number(new RegExp(`^# ${name} (\\d+)`, 'm').exec(report)?.[1] ?? 0);
  for (const line of report.split('\n')) {
    if (/^\s*ok .*# SKIP/.test(line)) console.log(`   skipped: ${line.trim().replace(/^ok \d+ - /, '')}`);
    if (/^\s*not ok /.test(line)) console.log(`   FAILED: ${line.trim()}`);
  }
  const failed = count('fail') + count('cancelled');
  return {
    passed: count('pass'),
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: count('skipped'),
  };
}
