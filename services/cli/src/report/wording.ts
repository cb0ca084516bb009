const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** A span of time for people: the two largest units. */
export function spanText(ms: number): string {
  const [sign, size] = [ms < 0 ? '-' : '', Math.abs(ms)];
  const whole = (unit: number): number => Math.floor(size / unit);
  if (size < SECOND_MS) return `${sign}${Math.round(size)} ms`;
  if (size < MINUTE_MS) return `${sign}${(size / SECOND_MS).toFixed(1)} s`;
  if (size < HOUR_MS) return `${sign}${whole(MINUTE_MS)} min ${whole(SECOND_MS) % 60} s`;
  return `${sign}${whole(HOUR_MS)} h ${whole(MINUTE_MS) % 60} min`;
}

/** A number with its thousands apart. */
export function countText(value: number): string {
  return value.toLocaleString('en-GB', { maximumFractionDigits: 2 });
}

/** `1 meter`, `2 meters`: `things` is the plural. */
export function several(value: number, things: string): string {
  return `${countText(value)} ${value === 1 ? things.replace(/s$/, '') : things}`;
}

/** An instant, to the minute, in UTC. */
export function instantText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
