import type { TimingProfile } from './timing-profile.ts';

/** The costs of a profile by their short names: milliseconds, and factors without a unit. */
export type TimingCosts = Partial<Omit<TimingProfile, 'name'>>;

const COSTS: Readonly<Record<string, keyof TimingCosts>> = {
  md5: 'md5BlockMs',
  sha: 'shaBlockMs',
  tdes: 'tdesBlockMs',
  aes: 'aesBlockMs',
  'rsa-public': 'rsaPublicMs',
  'rsa-private': 'rsaPrivateMs',
  ec: 'ecMultiplyMs',
  io: 'ioByteMs',
  write: 'writeMs',
  command: 'commandMs',
  exchange: 'exchangeMs',
  system: 'systemFactor',
};
/** A chip that takes longer than this for one operation is none. */
const MAX_COST = 100_000;

/** What {@link parseTimingCosts} reads, for messages. */
export const TIMING_COSTS_FORM = `name=number, comma-separated; names: ${Object.keys(COSTS).join(', ')}`;

/**
 * Reads costs of a chip as text, `aes=1.2,ec=45`: milliseconds for a block of AES, a multiplication of a point,
 * and so on. Undefined when the text is none of that form, names a cost twice or one that does not exist.
 */
export function parseTimingCosts(text: string): TimingCosts | undefined {
  const costs: { -readonly [K in keyof TimingCosts]: number } = {};
  for (const part of text.split(',').filter((item) => item.trim() !== '')) {
    const [name = '', value = '', ...more] = part.split('=').map((item) => item.trim());
    const key = Object.hasOwn(COSTS, name) ? COSTS[name] : undefined;
    const valid = /^\d+(\.\d+)?$/.test(value) && Number(value) <= MAX_COST;
    if (key === undefined || !valid || more.length > 0 || costs[key] !== undefined) return undefined;
    costs[key] = Number(value);
  }
  return costs;
}
