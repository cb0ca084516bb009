import type { DeviceDetail, DevicePage, FleetState, Reading } from './wire-types.ts';

const SERVICE = '/sefleet.fleet.v1.FleetService';
const ENVELOPE_HEADER_BYTES = 5;
const END_OF_STREAM = 0b10;
const RETRY_MS = 1000;

/** What the server answered in place of a response. */
export class RpcError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What to list; empty fields mean all. */
export interface DeviceQuery {
  readonly search: string;
  readonly kind: string;
  readonly state: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

export function listDevices(query: DeviceQuery, signal: AbortSignal): Promise<DevicePage> {
  return call<DevicePage>('ListDevices', query, signal);
}

export function getDevice(endpoint: string, signal: AbortSignal): Promise<DeviceDetail> {
  return call<DeviceDetail>('GetDevice', { endpoint }, signal);
}

export async function queryTelemetry(
  endpoint: string,
  from: Date,
  maxPoints: number,
  signal: AbortSignal,
): Promise<Reading[]> {
  const request = { endpoint, from: from.toISOString(), maxPoints };
  const { readings } = await call<{ readings: Reading[] }>('QueryTelemetry', request, signal);
  return readings;
}

/** Snapshots of the fleet until `signal` is aborted; connects again after a loss. */
export async function watchFleet(
  intervalMs: number,
  signal: AbortSignal,
  show: (state: FleetState) => void,
  lost: (reason: string) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const message of stream<{ state?: FleetState }>('WatchFleetState', { intervalMs }, signal)) {
        if (message.state !== undefined) show(message.state);
      }
    } catch (error) {
      if (!signal.aborted) lost(error instanceof Error ? error.message : String(error));
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** One call by the Connect protocol: a POST with JSON both ways. */
async function call<T>(method: string, request: object, signal: AbortSignal): Promise<T> {
  const response = await fetch(`${SERVICE}/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
    body: JSON.stringify(request, withoutEmpty),
    signal,
  });
  // The server speaks the contract that T is computed from.
  const body = (await response.json()) as T & { code?: string; message?: string };
  if (response.ok) return body;
  throw new RpcError(body.code ?? 'unknown', body.message ?? `HTTP ${response.status}`);
}

/** A server stream by the Connect protocol: messages in envelopes of a flag, a length and JSON. */
async function* stream<T>(method: string, request: object, signal: AbortSignal): AsyncGenerator<T> {
  const response = await fetch(`${SERVICE}/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/connect+json', 'connect-protocol-version': '1' },
    body: envelope(JSON.stringify(request)),
    signal,
  });
  if (!response.ok || response.body === null) throw new RpcError('unavailable', `HTTP ${response.status}`);
  let buffered = new Uint8Array();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffered = joined(buffered, value);
    for (;;) {
      const length =
        buffered.length < ENVELOPE_HEADER_BYTES ? undefined : new DataView(buffered.buffer).getUint32(1);
      if (length === undefined || buffered.length < ENVELOPE_HEADER_BYTES + length) break;
      const end = ENVELOPE_HEADER_BYTES + length;
      const message: unknown = JSON.parse(
        new TextDecoder().decode(buffered.subarray(ENVELOPE_HEADER_BYTES, end)),
      );
      if (((buffered[0] ?? 0) & END_OF_STREAM) !== 0) return;
      buffered = buffered.slice(end);
      // As above: the contract says what stands in an envelope.
      yield message as T;
    }
  }
}

function envelope(json: string): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(json);
  const data = new Uint8Array(ENVELOPE_HEADER_BYTES + body.length);
  new DataView(data.buffer).setUint32(1, body.length);
  data.set(body, ENVELOPE_HEADER_BYTES);
  return data;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** An unset field and an empty one are the same; an enum's name must not be empty. */
function withoutEmpty(_name: string, value: unknown): unknown {
  return value === '' ? undefined : value;
}
