import { SefleetError } from '@sefleet/errors';

/** One setting: where it comes from, what it means and what it may be. */
export interface SettingDefinition<T> {
  /** Environment variable, for example `SEFLEET_GRPC_PORT`. */
  readonly env: string;
  readonly doc: string;
  /** For example `ms`, `bytes`, `port`. */
  readonly unit?: string;
  /** Undefined: the setting must be given. */
  readonly default?: T;
  /** What is allowed, for people: `0..65535`. */
  readonly range?: string;
  /** Printed as `***`. */
  readonly secret?: boolean;
  /** The value, or what was expected instead. */
  parse(text: string): { readonly value: T } | { readonly expected: string };
}

/** A group of settings by the name that the program uses. */
export type SettingDefinitions = Readonly<Record<string, SettingDefinition<unknown>>>;

/** The values of a group of settings. */
export type SettingValues<D extends SettingDefinitions> = {
  readonly [K in keyof D]: D[K] extends SettingDefinition<infer T> ? T : never;
};

type Common<T> = Omit<SettingDefinition<T>, 'parse' | 'range'>;

/** A whole number between `min` and `max`. */
export function integerSetting(
  options: Common<number> & { readonly min: number; readonly max: number },
): SettingDefinition<number> {
  const range = `${options.min}..${options.max}`;
  return {
    ...options,
    range,
    parse: (text) => {
      const value = Number(text);
      const valid = /^-?\d+$/.test(text.trim()) && value >= options.min && value <= options.max;
      return valid ? { value } : { expected: `a whole number in ${range}` };
    },
  };
}

/** A UDP or TCP port; 0 takes a free one. */
export function portSetting(options: Common<number>): SettingDefinition<number> {
  return integerSetting({ unit: 'port', ...options, min: 0, max: 65_535 });
}

/** Any text; with `pattern`, only what matches it. */
export function textSetting(
  options: Common<string> & { readonly pattern?: RegExp; readonly expected?: string },
): SettingDefinition<string> {
  return {
    ...options,
    parse: (text) =>
      options.pattern === undefined || options.pattern.test(text)
        ? { value: text }
        : { expected: options.expected ?? `text like ${options.pattern.source}` },
  };
}

/** One of a few words. */
export function choiceSetting<const T extends string>(
  options: Common<T> & { readonly choices: readonly T[] },
): SettingDefinition<T> {
  const range = options.choices.join(' | ');
  return {
    ...options,
    range,
    parse: (text) => {
      const value = options.choices.find((choice) => choice === text);
      return value === undefined ? { expected: `one of ${range}` } : { value };
    },
  };
}

/** `true`/`false`, `1`/`0`, `on`/`off`. */
export function booleanSetting(options: Common<boolean>): SettingDefinition<boolean> {
  return {
    ...options,
    range: 'true | false',
    parse: (text) => {
      if (/^(true|1|on)$/i.test(text)) return { value: true };
      return /^(false|0|off)$/i.test(text) ? { value: false } : { expected: 'true or false' };
    },
  };
}

/**
 * Reads a group of settings from an environment. Unset and empty variables take the default.
 *
 * @throws SefleetError `CONFIG_INVALID`, fault `caller`, that names every wrong setting at once.
 */
export function readSettings<D extends SettingDefinitions>(
  definitions: D,
  environment: Readonly<Record<string, string | undefined>>,
): SettingValues<D> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, definition] of Object.entries(definitions)) {
    const text = environment[definition.env];
    if (text === undefined || text === '') {
      if (definition.default === undefined) problems.push(`${definition.env} is not set: ${definition.doc}`);
      else values[name] = definition.default;
      continue;
    }
    const parsed = definition.parse(text);
    if ('value' in parsed) values[name] = parsed.value;
    else {
      const shown = definition.secret === true ? '***' : JSON.stringify(text);
      problems.push(`${definition.env}=${shown} is not ${parsed.expected}: ${definition.doc}`);
    }
  }
  if (problems.length > 0) {
    throw new SefleetError('CONFIG_INVALID', 'caller', problems.join('; '), {
      context: { problems },
      hint: 'Set the named environment variables to allowed values, or unset them to take the defaults.',
    });
  }
  // Every name of D was filled above or reported as a problem.
  return values as SettingValues<D>;
}

/** The effective settings for a log line: secrets masked. */
export function describeSettings<D extends SettingDefinitions>(
  definitions: D,
  values: SettingValues<D>,
): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, definition] of Object.entries(definitions)) {
    shown[name] = definition.secret === true ? '***' : values[name];
  }
  return shown;
}
