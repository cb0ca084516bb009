import { usageError, type OptionDefinition, type VerbArguments } from '../command-line.ts';
import { parseDuration } from './duration.ts';

/** How fast a switch goes through its meters. */
export interface Pacing {
  /** Meters worked on at once. */
  readonly concurrency: number;
  /** In any minute no more are begun, nor taken to the head end; 0 for no cap. */
  readonly ratePerMinute: number;
  /** Shares of the meters, in per cent, that go one after the other; the rest follows. */
  readonly waves: readonly number[];
  /** Between a wave that is prepared and the next one. */
  readonly wavePauseMs: number;
  /** Share of failures that stops the switch, in per cent; 0 for never. */
  readonly stopAbovePercent: number;
}

/** All meters in one go, as fast as they can. */
export const AT_ONCE: Pacing = {
  concurrency: 32,
  ratePerMinute: 0,
  waves: [],
  wavePauseMs: 0,
  stopAbovePercent: 0,
};

/** The options of {@link readPacing}. @param devices what the meters are called */
export function pacingOptions(devices: string): Readonly<Record<string, OptionDefinition>> {
  return {
    concurrency: { type: 'string', value: 'n', default: '32', doc: `${devices} worked on at once` },
    rate: {
      type: 'string',
      value: 'n',
      default: '0',
      doc: `${devices} a minute at the most, for their preparation and again for their cut-over; 0: no cap`,
    },
    waves: {
      type: 'string',
      value: 'list',
      doc: `shares of the ${devices} that go one after the other, such as 1%,10%,rest; each is prepared before the next begins`,
    },
    'wave-pause': {
      type: 'string',
      value: 'time',
      default: '0s',
      doc: 'between a wave that is prepared and the next, such as 10m',
    },
    canary: {
      type: 'string',
      value: 'percent',
      default: '0',
      doc: 'one wave of this share, then the rest: short for --waves',
    },
    'stop-above': {
      type: 'string',
      value: 'percent',
      default: '0',
      doc: 'share of failures that stops the switch; 0: none',
    },
  };
}

/** @throws SefleetError `CLI_USAGE`. @param help what to do about it */
export function readPacing(parsed: VerbArguments, help: string): Pacing {
  const listed = parsed.text('waves');
  const canary = parsed.integer('canary', 0, 100);
  if (listed !== undefined && canary > 0)
    throw usageError('--canary and --waves say the same', 'Put the canaries first: --waves 5%,rest.');
  const waves = listed === undefined ? (canary === 0 ? [] : [canary]) : parseWaves(listed);
  if (waves === undefined) throw usageError(`--waves ${listed} is no list of shares like 1%,10%,rest`, help);
  const wavePause = parsed.text('wave-pause') ?? '';
  const wavePauseMs = parseDuration(wavePause);
  if (wavePauseMs === undefined || wavePauseMs > MAX_WAVE_PAUSE_MS)
    throw usageError(`--wave-pause ${wavePause} is no time like 90s or 10m, at most a day`, help);
  return {
    concurrency: parsed.integer('concurrency', 1, 1024),
    ratePerMinute: parsed.integer('rate', 0, 1_000_000),
    waves,
    wavePauseMs,
    stopAbovePercent: parsed.integer('stop-above', 0, 100),
  };
}

/** As the switching service is asked. */
export function pacingRequest({ wavePauseMs, waves, ...rest }: Pacing) {
  return { ...rest, waves: [...waves], wavePauseSeconds: Math.round(wavePauseMs / 1000) };
}

/** How long so many meters need at least to be begun, milliseconds. */
export function beginningMs({ ratePerMinute, waves, wavePauseMs }: Pacing, meters: number): number {
  const paced = ratePerMinute === 0 ? 0 : ((meters - 1) / ratePerMinute) * MINUTE_MS;
  return paced + waves.length * wavePauseMs;
}

/** Shares in per cent; undefined when they are none, or more than there is. */
export function parseWaves(text: string): readonly number[] | undefined {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.at(-1) === 'rest') parts.pop();
  const shares = parts.map((part) => (SHARE.test(part) ? Number.parseFloat(part) : Number.NaN));
  const sum = shares.reduce((total, share) => total + share, 0);
  const fit = shares.length <= MAX_WAVES && shares.every((share) => share > 0) && sum <= 100;
  return fit ? shares : undefined;
}

const SHARE = /^\d+(\.\d+)?%?$/;
const MAX_WAVES = 20;
const MINUTE_MS = 60_000;
const MAX_WAVE_PAUSE_MS = 86_400_000;
