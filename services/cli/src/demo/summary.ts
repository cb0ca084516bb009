import { common, type fleet, type management, type simulation } from '@sefleet/api';
import { formatTable } from '../terminal/table.ts';
import type { LedgerTotals } from './ledger.ts';
import { plannedKinds, totalDevices } from '../fleet/planned-kinds.ts';
import type { DemoPlan } from './plan.ts';

/** Everything that a demo saw, from the devices' side and from the servers'. */
export interface DemoObservations {
  readonly devices: simulation.FleetProgress;
  readonly servers: management.GetStatisticsResponse;
  readonly rotation: fleet.RotationState;
  readonly rotationMs: number;
  readonly ledger: LedgerTotals;
  readonly rowsPerSecond: number;
  readonly startToFirstRegisteredMs: number;
}

/** Percentiles as the JSON contract names them. */
interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** `out.json` of the demo. */
export interface DemoSummary {
  readonly devices: {
    readonly total: number;
    readonly bootstrapped: number;
    readonly registered: number;
    readonly byKind: Readonly<Record<string, { total: number; bootstrapped: number; registered: number }>>;
  };
  readonly dtls: {
    readonly handshakes: number;
    readonly failed: number;
    readonly cipherSuites: Readonly<Record<string, number>>;
  };
  readonly rotation: {
    readonly attempted: number;
    readonly confirmed: number;
    readonly oldKeyRefused: number;
    readonly failed: number;
  };
  readonly telemetry: {
    readonly sent: number;
    readonly stored: number;
    readonly lost: number;
    readonly duplicated: number;
    readonly rowsPerSecond: number;
  };
  readonly timingsMs: {
    readonly bootstrapToRegistered: Percentiles;
    readonly firstRegistered: number;
    readonly allRegistered: number;
    readonly rotation: Percentiles & { readonly total: number };
  };
  readonly memory: { readonly deviceSimRssBytes: number; readonly bytesPerDevice: number };
  readonly disagreements: readonly string[];
  readonly seed: number;
  readonly version: string;
}

/** Puts the summary together and lists every place where the two sides disagree. */
export function summarise(plan: DemoPlan, seen: DemoObservations, version: string): DemoSummary {
  const total = totalDevices(plan);
  const { devices, servers, rotation, ledger } = seen;
  const residentBytes = Number(devices.residentMemoryBytes);
  return {
    devices: { total, ...countDevices(plan, devices.kinds) },
    dtls: {
      handshakes: Number(devices.dtlsHandshakes),
      failed: Number(devices.dtlsFailed),
      cipherSuites: Object.fromEntries(devices.cipherSuites.map(({ name, value }) => [name, Number(value)])),
    },
    rotation: {
      attempted: Number(rotation.attempted),
      confirmed: Number(rotation.confirmed),
      oldKeyRefused: Number(rotation.oldKeyRefused),
      failed: Number(rotation.failed),
    },
    telemetry: {
      sent: ledger.sent,
      stored: ledger.stored,
      lost: ledger.lost,
      duplicated: ledger.duplicated,
      rowsPerSecond: round(seen.rowsPerSecond),
    },
    timingsMs: {
      bootstrapToRegistered: percentiles(devices.bootstrapToRegistered),
      firstRegistered: round(seen.startToFirstRegisteredMs),
      allRegistered: round(devices.allRegisteredMs),
      rotation: { ...percentiles(rotation.duration), total: round(seen.rotationMs) },
    },
    memory: {
      deviceSimRssBytes: residentBytes,
      bytesPerDevice: Math.round((residentBytes - Number(devices.baselineMemoryBytes)) / Math.max(1, total)),
    },
    disagreements: findDisagreements(plan, devices, servers, ledger),
    seed: plan.seed,
    version,
  };
}

/** True when everything that was asked for happened. */
export function isComplete(summary: DemoSummary): boolean {
  const { devices, rotation } = summary;
  return (
    devices.registered === devices.total && rotation.failed === 0 && rotation.confirmed === rotation.attempted
  );
}

/** True when both sides agree and nothing was lost or stored twice. */
export function isIntact(summary: DemoSummary): boolean {
  const { telemetry, disagreements } = summary;
  return telemetry.lost === 0 && telemetry.duplicated === 0 && disagreements.length === 0;
}

/** The summary for people. */
export function formatSummary(summary: DemoSummary): string {
  const { devices, dtls, rotation, telemetry, timingsMs, memory } = summary;
  const kinds = Object.entries(devices.byKind).map(
    ([name, kind]) => [name, kind.total, kind.bootstrapped, kind.registered] as const,
  );
  const suites = Object.entries(dtls.cipherSuites).map(([name, count]) => `${name} ${count}`);
  const { bootstrapToRegistered: boot } = timingsMs;
  return [
    '',
    formatTable(
      ['devices', 'total', 'bootstrapped', 'registered'],
      [...kinds, ['all', devices.total, devices.bootstrapped, devices.registered]],
    ),
    '',
    `Handshakes  ${dtls.handshakes}, failed ${dtls.failed}`,
    ...suites.map((suite) => `            ${suite}`),
    `Registered  first ${seconds(timingsMs.firstRegistered)} after the command,` +
      ` all ${seconds(timingsMs.allRegistered)} after the fleet's start`,
    `            one device: p50 ${boot.p50} ms, p99 ${boot.p99} ms`,
    `Keys        ${rotation.confirmed} of ${rotation.attempted} rotated and confirmed` +
      ` in ${seconds(timingsMs.rotation.total)}`,
    `            old key refused by ${rotation.oldKeyRefused}, failed ${rotation.failed}`,
    `Telemetry   ${telemetry.sent} records sent, ${telemetry.stored} stored, ${telemetry.lost} lost,` +
      ` ${telemetry.duplicated} duplicated`,
    `Memory      device-sim ${Math.round(memory.deviceSimRssBytes / 2 ** 20)} MiB${perDevice(summary)}`,
    ...summary.disagreements.map((line) => `DISAGREE    ${line}`),
  ].join('\n');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** What the process takes by itself is much beside the devices of a small fleet. */
const LARGE_FLEET = 500;

function perDevice({ devices, memory }: DemoSummary): string {
  return devices.total < LARGE_FLEET ? '' : `, ${Math.round(memory.bytesPerDevice / 1024)} KiB a device`;
}

function countDevices(
  plan: DemoPlan,
  kinds: readonly simulation.KindProgress[],
): Omit<DemoSummary['devices'], 'total'> {
  const byKind: Record<string, { total: number; bootstrapped: number; registered: number }> = {};
  let [bootstrapped, registered] = [0, 0];
  for (const { kind, name, count } of plannedKinds(plan)) {
    const seen = kinds.find((progress) => progress.kind === kind);
    const counts = {
      bootstrapped: Number(seen?.bootstrapped ?? 0n),
      registered: Number(seen?.registered ?? 0n),
    };
    byKind[name] = { total: count, ...counts };
    bootstrapped += counts.bootstrapped;
    registered += counts.registered;
  }
  return { bootstrapped, registered, byKind };
}

function findDisagreements(
  plan: DemoPlan,
  devices: simulation.FleetProgress,
  servers: management.GetStatisticsResponse,
  ledger: LedgerTotals,
): string[] {
  const found: string[] = [];
  const compare = (what: string, device: bigint | number, server: bigint | number): void => {
    if (Number(device) !== Number(server))
      found.push(`${what}: devices say ${device}, servers say ${server}`);
  };
  for (const { kind, name } of plannedKinds(plan)) {
    const device = devices.kinds.find((progress) => progress.kind === kind);
    const server = servers.kinds.find((count) => count.kind === kind);
    // Accounts from the card or the factory never came by the bootstrap server.
    const seen = isBootstrappedByServer(plan) ? (device?.bootstrapped ?? 0n) : 0n;
    compare(`${name} bootstrapped`, seen, server?.bootstrapped ?? 0n);
    compare(`${name} registered`, device?.registered ?? 0n, server?.registered ?? 0n);
  }
  const handshakes = servers.counters.filter(({ name }) => HANDSHAKE_COUNTERS.has(name));
  const seen = handshakes.reduce((sum, { value }) => sum + Number(value), 0);
  compare('handshakes', devices.dtlsHandshakes, seen);
  compare('records', ledger.sent, ledger.stored + ledger.lost - ledger.unexpected);
  found.push(...ledger.differences);
  return found;
}

/** DTLS, and TLS for devices that come over TCP. */
const HANDSHAKE_COUNTERS: ReadonlySet<string> = new Set(['dtls.handshakes', 'tls.connections']);

function isBootstrappedByServer({ connectivity: { bootstrap } }: DemoPlan): boolean {
  const { SMARTCARD, FACTORY } = common.BootstrapMode;
  return bootstrap !== SMARTCARD && bootstrap !== FACTORY;
}

function percentiles(latency: common.LatencySummary | undefined): Percentiles {
  return {
    p50: round(latency?.p50Ms ?? 0),
    p95: round(latency?.p95Ms ?? 0),
    p99: round(latency?.p99Ms ?? 0),
    max: round(latency?.maxMs ?? 0),
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
