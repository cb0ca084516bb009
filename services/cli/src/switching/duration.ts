const SCALE_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds from `+2m`, `90s`, `1h` or `14d`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const [, amount = '', unit = ''] = /^\+?(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const scale = SCALE_MS[unit];
  return scale === undefined ? undefined : Number(amount) * scale;
}
