const NUMBER = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const FRACTION = new Intl.NumberFormat('en', { maximumSignificantDigits: 5 });
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DATE_TIME = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** A count, from the text that 64-bit numbers are in JSON. */
export function count(value: string | number | undefined): string {
  return NUMBER.format(Number(value ?? 0));
}

export function decimal(value: number): string {
  return Number.isInteger(value) ? NUMBER.format(value) : FRACTION.format(value);
}

/** "14:03:22". */
export function time(timestamp: string | undefined): string {
  return timestamp === undefined ? '–' : TIME.format(new Date(timestamp));
}

/** "14:03:22" today, with the date on other days. */
export function moment(timestamp: string | undefined): string {
  if (timestamp === undefined) return '–';
  const at = new Date(timestamp);
  return at.toDateString() === new Date().toDateString() ? TIME.format(at) : DATE_TIME.format(at);
}

export function milliseconds(value: number): string {
  return value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(value >= 10 ? 0 : 1)} ms`;
}

export function share(part: string | number, whole: string | number): number {
  return Number(whole) === 0 ? 0 : Math.min(1, Number(part) / Number(whole));
}

export function percent(fraction: number): string {
  // Not rounded up: 100 % means all of them.
  return `${Math.floor(fraction * 100)} %`;
}

const KINDS: Readonly<Record<string, string>> = {
  DEVICE_KIND_SMART_METER: 'Smart meter',
  DEVICE_KIND_OBU: 'Vehicle OBU',
  DEVICE_KIND_RPM_GATEWAY: 'RPM gateway',
};
export const KIND_NAMES: readonly (readonly [value: string, name: string])[] = Object.entries(KINDS);

export function kindName(kind: string): string {
  return KINDS[kind] ?? 'Unknown';
}

const STATES: Readonly<Record<string, string>> = {
  DEVICE_STATE_REGISTERED: 'Registered',
  DEVICE_STATE_SLEEPING: 'Sleeping',
  DEVICE_STATE_BOOTSTRAPPED: 'Bootstrapped',
  DEVICE_STATE_MANUFACTURED: 'Manufactured',
  DEVICE_STATE_EXPIRED: 'Expired',
};

export function stateName(state: string): string {
  return STATES[state] ?? 'Unknown';
}

/** "activeEnergyWh" as people write it: "Active energy". */
export function metricName(metric: string): string {
  const words = metric
    .replace(/(Wh|W|V|A|Hz|Var|Kmh|M|Ms2|Rpm|Percent|Degrees)$/, '')
    .replaceAll(/([A-Z])/g, ' $1');
  const text = words.trim().toLowerCase();
  return text === '' ? metric : text[0]?.toUpperCase() + text.slice(1);
}
