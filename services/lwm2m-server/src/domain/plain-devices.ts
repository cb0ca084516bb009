import { serviceError } from '../errors.ts';

/** A device that may come without a credential. */
export interface PlainDevice {
  readonly endpoint: string;
  readonly kind: string;
}

const KINDS: ReadonlySet<string> = new Set(['smart-meter', 'obu', 'rpm-gateway']);

/**
 * Which endpoint names may be used without a credential: names with blanks between them, `*` at the end for
 * any rest, and the kind before it where it matters: `smart-meter=lab-meter-* bench-1`.
 */
export class PlainDevices {
  readonly #patterns: readonly { readonly pattern: string; readonly kind: string }[];

  /** @throws SefleetError `LWM2M_PLAIN_ENDPOINTS_INVALID` */
  constructor(text: string) {
    this.#patterns = text
      .split(/\s+/)
      .filter((word) => word !== '')
      .map(parsePattern);
  }

  /** True when nobody may. */
  get isEmpty(): boolean {
    return this.#patterns.length === 0;
  }

  find(endpoint: string): PlainDevice | undefined {
    const match = this.#patterns.find(({ pattern }) =>
      pattern.endsWith('*') ? endpoint.startsWith(pattern.slice(0, -1)) : pattern === endpoint,
    );
    return match === undefined ? undefined : { endpoint, kind: match.kind };
  }
}

function parsePattern(word: string): { readonly pattern: string; readonly kind: string } {
  const [pattern = '', kind = '', ...more] = word.split('=').toReversed();
  if (pattern === '' || more.length > 0 || (kind !== '' && !KINDS.has(kind))) {
    throw serviceError('LWM2M_PLAIN_ENDPOINTS_INVALID', `${word} is no endpoint name with a kind before it`, {
      hint: 'Correct SEFLEET_LWM2M_PLAIN_ENDPOINTS: `lab-*` or `smart-meter=lab-*`, blanks between them.',
    });
  }
  return { pattern, kind };
}
