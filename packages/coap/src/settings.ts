import { coapError } from './errors.ts';

/** What is known of one transmission parameter beside its value. */
export interface ParameterDefinition {
  readonly unit: string;
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly spec: string;
  readonly doc: string;
}

/** Every transmission parameter: unit, default, range and where it comes from. */
export const TRANSMISSION_PARAMETERS = {
  ackTimeoutMs: {
    unit: 'ms',
    default: 2000,
    min: 1,
    max: 600_000,
    spec: 'RFC 7252 §4.8 ACK_TIMEOUT',
    doc: 'Least time before the first retransmission of a confirmable message.',
  },
  ackRandomFactor: {
    unit: '1',
    default: 1.5,
    min: 1,
    max: 10,
    spec: 'RFC 7252 §4.8 ACK_RANDOM_FACTOR',
    doc: 'The first time-out is drawn between ackTimeoutMs and this many times as much.',
  },
  maxRetransmit: {
    unit: '1',
    default: 4,
    min: 0,
    max: 20,
    spec: 'RFC 7252 §4.8 MAX_RETRANSMIT',
    doc: 'Retransmissions of a confirmable message; the time-out doubles with each.',
  },
  nstart: {
    unit: '1',
    default: 1,
    min: 1,
    max: 65_535,
    spec: 'RFC 7252 §4.7 NSTART',
    doc: 'Confirmable messages outstanding to one peer at a time; more wait in a queue.',
  },
  maxLatencyMs: {
    unit: 'ms',
    default: 100_000,
    min: 1,
    max: 600_000,
    spec: 'RFC 7252 §4.8.2 MAX_LATENCY',
    doc: 'The longest that a datagram is expected to stay in the network.',
  },
  processingDelayMs: {
    unit: 'ms',
    default: 2000,
    min: 1,
    max: 600_000,
    spec: 'RFC 7252 §4.8.2 PROCESSING_DELAY',
    doc: 'The time a peer may take between a confirmable message and its acknowledgement.',
  },
  separateAfterMs: {
    unit: 'ms',
    default: 250,
    min: 0,
    max: 600_000,
    spec: 'RFC 7252 §5.2.2',
    doc: 'A handler that takes longer gets an empty acknowledgement sent and answers in a separate response.',
  },
  responseTimeoutMs: {
    unit: 'ms',
    default: 93_000,
    min: 1,
    max: 86_400_000,
    spec: 'RFC 7252 §5.2.2, §5.2.3',
    doc: 'How long a client waits for a separate response, or for the answer to a NON.',
  },
  notificationConfirmEvery: {
    unit: '1',
    default: 10,
    min: 1,
    max: 1_000_000,
    spec: 'RFC 7641 §4.5',
    doc: 'One notification in so many is confirmable, so that a client that is gone is noticed.',
  },
  notificationConfirmMs: {
    unit: 'ms',
    default: 86_400_000,
    min: 1,
    max: 86_400_000,
    spec: 'RFC 7641 §4.5',
    doc: 'The longest time without a confirmable notification; the RFC allows at most 24 hours.',
  },
  blockSizeBytes: {
    unit: 'bytes',
    default: 1024,
    min: 16,
    max: 1024,
    spec: 'RFC 7959 §2.2 SZX',
    doc: 'The block size that this side proposes and the largest it serves; a power of two.',
  },
  blockLifetimeMs: {
    unit: 'ms',
    default: 247_000,
    min: 1,
    max: 86_400_000,
    spec: 'RFC 7959 §2.4, §2.5',
    doc: 'How long a server keeps the state of a blockwise transfer after its last message.',
  },
} as const satisfies Readonly<Record<string, ParameterDefinition>>;

/** The transmission parameters of an endpoint; see {@link TRANSMISSION_PARAMETERS} for each. */
export type TransmissionParameters = { readonly [name in keyof typeof TRANSMISSION_PARAMETERS]: number };

/** Times that follow from the parameters (RFC 7252 §4.8.2). */
export interface DerivedTimes {
  /** First transmission to last retransmission. */
  readonly maxTransmitSpanMs: number;
  /** First transmission to giving up. */
  readonly maxTransmitWaitMs: number;
  /** How long a message id must not be reused after a confirmable message. */
  readonly exchangeLifetimeMs: number;
  /** The same after a non-confirmable message. */
  readonly nonLifetimeMs: number;
}

/**
 * The parameters with their defaults filled in.
 *
 * @throws SefleetError `COAP_SETTING_INVALID` when one is outside of its range, naming it.
 */
export function resolveParameters(given: Partial<TransmissionParameters> = {}): TransmissionParameters {
  return {
    ackTimeoutMs: resolve('ackTimeoutMs', given),
    ackRandomFactor: resolve('ackRandomFactor', given),
    maxRetransmit: resolve('maxRetransmit', given),
    nstart: resolve('nstart', given),
    maxLatencyMs: resolve('maxLatencyMs', given),
    processingDelayMs: resolve('processingDelayMs', given),
    separateAfterMs: resolve('separateAfterMs', given),
    responseTimeoutMs: resolve('responseTimeoutMs', given),
    notificationConfirmEvery: resolve('notificationConfirmEvery', given),
    notificationConfirmMs: resolve('notificationConfirmMs', given),
    blockSizeBytes: resolve('blockSizeBytes', given),
    blockLifetimeMs: resolve('blockLifetimeMs', given),
  };
}

/** RFC 7252 §4.8.2. */
export function deriveTimes(parameters: TransmissionParameters): DerivedTimes {
  const { ackTimeoutMs, ackRandomFactor, maxRetransmit, maxLatencyMs, processingDelayMs } = parameters;
  const maxTransmitSpanMs = ackTimeoutMs * (2 ** maxRetransmit - 1) * ackRandomFactor;
  return {
    maxTransmitSpanMs,
    maxTransmitWaitMs: ackTimeoutMs * (2 ** (maxRetransmit + 1) - 1) * ackRandomFactor,
    exchangeLifetimeMs: maxTransmitSpanMs + 2 * maxLatencyMs + processingDelayMs,
    nonLifetimeMs: maxTransmitSpanMs + maxLatencyMs,
  };
}

function resolve(name: keyof TransmissionParameters, given: Partial<TransmissionParameters>): number {
  const { min, max, unit, spec, default: preset } = TRANSMISSION_PARAMETERS[name];
  const value = given[name] ?? preset;
  const powerOfTwo = name !== 'blockSizeBytes' || Number.isInteger(Math.log2(value));
  if (!(value >= min && value <= max) || !powerOfTwo) {
    throw coapError(
      'COAP_SETTING_INVALID',
      `${name} is ${value}, allowed are ${min} to ${max} ${unit} (${spec})`,
      {
        context: { name, value, min, max },
        hint:
          name === 'blockSizeBytes'
            ? 'Take 16, 32, 64, 128, 256, 512 or 1024.'
            : 'Leave it out for the default.',
      },
    );
  }
  return value;
}
