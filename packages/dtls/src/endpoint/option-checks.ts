import { PLAINTEXT_MAX } from '../constants.ts';
import { dtlsError } from '../errors.ts';
import { RECORD_SIZE_LIMIT_MIN } from '../handshake/server-hello-answer.ts';
import { DEFAULT_FLIGHT_TIMERS, DEFAULT_LIMITS, type DtlsEndpointOptions } from '../settings.ts';

/** The longest connection ID (RFC 9146 §3) and the smallest datagram that a Finished message fits with it. */
const CID_LENGTH_MAX = 255;
const MTU_MIN = 128;
const MTU_MAX = 65_507;

/** Refuses options outside of their ranges, naming the option. */
export function checkOptions(options: DtlsEndpointOptions): void {
  check('connectionIdLength', options.connectionIdLength, 0, CID_LENGTH_MAX);
  check('mtu', options.mtu, MTU_MIN + (options.connectionIdLength ?? 0), MTU_MAX);
  check('recordSizeLimit', options.recordSizeLimit, RECORD_SIZE_LIMIT_MIN, PLAINTEXT_MAX);
  for (const [name, value] of Object.entries({ ...DEFAULT_LIMITS, ...options.limits })) {
    check(`limits.${name}`, value, 1, Number.MAX_SAFE_INTEGER);
  }
  for (const [name, value] of Object.entries({ ...DEFAULT_FLIGHT_TIMERS, ...options.flightTimers })) {
    check(`flightTimers.${name}`, value, name === 'maxRetransmissions' ? 0 : 1, Number.MAX_SAFE_INTEGER);
  }
}

function check(setting: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isFinite(value) && value >= min && value <= max)) return;
  throw dtlsError('DTLS_SETTINGS', `${setting} is ${value}; it has to be between ${min} and ${max}`, {
    context: { setting },
  });
}
