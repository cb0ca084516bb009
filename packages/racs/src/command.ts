import { fromHex } from '@sefleet/bytes';

/** What the second and third digit of a status line name: the command that it belongs to. */
export const COMMAND_CODES = {
  SYSTEM: 0,
  BEGIN: 1,
  'GET-VERSION': 2,
  'SET-VERSION': 2,
  LIST: 4,
  RESET: 5,
  APDU: 6,
  SHUTDOWN: 7,
  POWERON: 8,
  ECHO: 9,
} as const;

/** What the first digit of an error status says. */
export const ERROR_CLASSES = {
  execution: 0,
  unknownCommand: 1,
  notImplemented: 2,
  illegalCommand: 3,
  illegalParameter: 4,
  syntax: 5,
  unauthorised: 6,
  inUse: 7,
  hardware: 8,
  system: 9,
} as const;

/** One of {@link ERROR_CLASSES}. */
export type ErrorClass = keyof typeof ERROR_CLASSES;

interface Appendable {
  /** Keeps this command's status line in the response; the last command's is always there. */
  readonly append: boolean;
}

/** A command as read from its line. */
export type Command = Appendable &
  (
    | { readonly name: 'GET-VERSION' }
    | { readonly name: 'SET-VERSION'; readonly version: string }
    | { readonly name: 'LIST' }
    | { readonly name: 'ECHO'; readonly text: string }
    | { readonly name: 'POWERON'; readonly seid: string }
    | { readonly name: 'SHUTDOWN'; readonly seid: string }
    | { readonly name: 'RESET'; readonly seid: string; readonly warm: boolean }
    | { readonly name: 'APDU'; readonly seid: string; readonly apdu: Uint8Array; readonly chaining: Chaining }
  );

/** How an APDU command treats what the card answers. */
export interface Chaining {
  /** The status word that counts as success; any when absent. */
  readonly continueOn?: number;
  /** The SW1 that says that more bytes wait, and the command that fetches them (without its length). */
  readonly more?: { readonly sw1: number; readonly fetch: Uint8Array };
}

/** A line that is no command: what to answer. */
export interface CommandError {
  readonly command: keyof typeof COMMAND_CODES;
  readonly error: ErrorClass;
  readonly text: string;
}

const SEID_CHARACTERS_MAX = 128;
const GET_RESPONSE = Uint8Array.of(0x00, 0xc0, 0x00, 0x00);

/** Reads one line between BEGIN and END. */
export function parseCommand(line: string): Command | CommandError {
  const words = line.trim().split(/ +/);
  const append = words.length > 1 && words.at(-1) === 'APPEND';
  const [name = '', ...parameters] = append ? words.slice(0, -1) : words;
  switch (name) {
    case 'GET-VERSION':
    case 'LIST':
      return parameters.length === 0 ? { name, append } : syntax(name, 'takes no parameter');
    case 'SET-VERSION':
      return parameters.length === 1
        ? { name, append, version: parameters[0] ?? '' }
        : syntax(name, 'takes a version');
    case 'ECHO':
      return { name, append, text: parameters.join(' ') };
    case 'POWERON':
    case 'SHUTDOWN':
      return parameters.length === 1 && isSeid(parameters[0])
        ? { name, append, seid: parameters[0] }
        : syntax(name, 'takes one SEID');
    case 'RESET':
      return parseReset(parameters, append);
    case 'APDU':
      return parseApdu(parameters, append);
    case 'BEGIN':
      return { command: 'BEGIN', error: 'illegalCommand', text: 'a request has begun already' };
    default:
      return { command: 'SYSTEM', error: 'unknownCommand', text: 'unknown command' };
  }
}

function parseReset(parameters: readonly string[], append: boolean): Command | CommandError {
  const [seid, mode] = parameters;
  if (!isSeid(seid) || parameters.length > 2) return syntax('RESET', 'takes one SEID and WARM at most');
  if (mode !== undefined && mode !== 'WARM')
    return { command: 'RESET', error: 'illegalParameter', text: 'only WARM' };
  return { name: 'RESET', append, seid, warm: mode === 'WARM' };
}

function parseApdu(parameters: readonly string[], append: boolean): Command | CommandError {
  const [seid, hex = '', ...options] = parameters;
  if (!isSeid(seid)) return syntax('APDU', 'takes a SEID and an APDU in hexadecimal');
  if (!isHex(hex) || hex.length < 8)
    return syntax('APDU', 'the APDU is no hexadecimal of at least four bytes');
  const values = new Map(options.map((option) => [option.split('=')[0] ?? '', option.split('=')[1] ?? '']));
  const widths: ReadonlyMap<string, number> = new Map([
    ['CONTINUE', 4],
    ['MORE', 2],
    ['FETCH', 8],
  ]);
  for (const [key, value] of values) {
    const width = widths.get(key);
    if (width === undefined)
      return { command: 'APDU', error: 'illegalParameter', text: `unknown parameter ${key.slice(0, 16)}` };
    if (value.length !== width || !isHex(value))
      return syntax('APDU', `${key} takes ${width} hexadecimal digits`);
  }
  const continueOn = values.get('CONTINUE');
  const more = values.get('MORE');
  const fetch = values.get('FETCH');
  const chaining: Chaining = {
    ...(continueOn === undefined ? {} : { continueOn: Number.parseInt(continueOn, 16) }),
    ...(more === undefined
      ? {}
      : {
          more: {
            sw1: Number.parseInt(more, 16),
            fetch: fetch === undefined ? GET_RESPONSE : fromHex(fetch),
          },
        }),
  };
  return { name: 'APDU', append, seid, apdu: fromHex(hex), chaining };
}

/** A secure element's name: one word of visible characters. */
export function isSeid(text: string | undefined): text is string {
  return text !== undefined && text.length <= SEID_CHARACTERS_MAX && /^[!-~]+$/.test(text);
}

function isHex(text: string): boolean {
  return text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text);
}

function syntax(command: keyof typeof COMMAND_CODES, text: string): CommandError {
  return { command, error: 'syntax', text: `${command} ${text}` };
}
