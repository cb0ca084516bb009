import { CODE, formatCode } from '@sefleet/coap';
import type { CoapEndpoint, CoapRequestInit, CoapResponse } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT, encodeContent } from '@sefleet/lwm2m';
import type { ContentFormat, CoreLink, Lwm2mPath, ModelRegistry } from '@sefleet/lwm2m';
import type { Peer } from '@sefleet/runtime';
import { placeAccounts } from './account-places.ts';
import { toDiscoverResult, toReadResult } from './answers.ts';
import type { BootstrapConfiguration, BootstrapFindings, BootstrapInspection } from './bootstrap.ts';
import { serverError } from './errors.ts';
import type { AuthorisedDevice } from './settings.ts';

/** One bootstrap under way. */
export interface BootstrapRun {
  readonly coap: CoapEndpoint;
  readonly peer: Peer;
  readonly device: AuthorisedDevice;
  /** Format of the writes. */
  readonly format: ContentFormat;
  readonly models: ModelRegistry;
  readonly startedMs: number;
  readonly abort: AbortController;
}

/**
 * The operations of one bootstrap in their order (Core §6.1.7): Discover and Read if wanted, Delete, Write,
 * Finish.
 *
 * @throws SefleetError `LWM2M_BOOTSTRAP_FAILED` when the device refuses to be changed, and what CoAP throws
 */
export async function runBootstrap(
  run: BootstrapRun,
  configuration: BootstrapConfiguration,
  inspected: (findings: BootstrapFindings) => void,
): Promise<void> {
  let { writes } = configuration;
  if (configuration.inspect !== undefined) {
    const findings = await inspect(run, configuration.inspect);
    inspected(findings);
    if (findings.links !== undefined) writes = placeAccounts(writes, findings.links);
    writes = [...writes, ...(configuration.writesFor?.(findings) ?? [])];
  }
  for (const path of configuration.deletes) await change(run, { method: 'DELETE', path: segments(path) });
  const contentFormat = run.format;
  for (const { path, entries } of writes) {
    const payload = encodeContent(contentFormat, path, entries, run.models);
    await change(run, { method: 'PUT', path: segments(path), payload, contentFormat });
  }
  await change(run, { method: 'POST', path: ['bs'] });
}

async function inspect(
  run: BootstrapRun,
  { discover, reads }: BootstrapInspection,
): Promise<BootstrapFindings> {
  const links = discover ? await discoverRoot(run) : undefined;
  const found: BootstrapFindings['reads'][number][] = [];
  for (const path of reads) {
    const accept = run.format;
    const response = await ask(run, { method: 'GET', path: segments(path), accept });
    found.push({ path, ...toReadResult(response, path, run.models, {}) });
  }
  return { links, reads: found };
}

async function discoverRoot(run: BootstrapRun): Promise<readonly CoreLink[] | undefined> {
  const response = await ask(run, { method: 'GET', path: [], accept: CONTENT_FORMAT.LINK });
  try {
    return response.code === CODE.CONTENT ? toDiscoverResult(response).links : undefined;
  } catch (error) {
    if (isSefleetError(error)) return undefined;
    throw error;
  }
}

async function change(run: BootstrapRun, init: CoapRequestInit): Promise<void> {
  const response = await ask(run, init);
  if (response.success) return;
  const code = formatCode(response.code);
  const path = `/${[init.path ?? []].flat().join('/')}`;
  const { endpoint } = run.device;
  throw serverError('LWM2M_BOOTSTRAP_FAILED', `${endpoint} answered ${code} to ${init.method} ${path}`, {
    context: { endpoint, code, method: init.method, path },
  });
}

function ask({ coap, peer, abort }: BootstrapRun, init: CoapRequestInit): Promise<CoapResponse> {
  return coap.request(peer, { ...init, signal: abort.signal });
}

function segments(path: Lwm2mPath): readonly string[] {
  return path.ids().map(String);
}
