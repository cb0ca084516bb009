import { fromHex, toHex } from '@sefleet/bytes';
import { globalPlatformError } from '../errors.ts';
import {
  RACS_COMMAND_CODE,
  RACS_FAULT,
  RACS_MAX_LABEL,
  RACS_MAX_LINE_BYTES,
  RACS_MAX_LINES,
} from './racs-protocol.ts';
import type { RacsApdu, RacsCommand, RacsLine, RacsStatus } from './racs-protocol.ts';

/** What becomes of a line: a command, or the status line that refuses it. */
export type RacsParsed =
  | { readonly kind: 'command'; readonly line: RacsLine }
  | { readonly kind: 'refused'; readonly status: RacsStatus };

const APPEND = 'APPEND';
const SEID = /^[\x21-\x7e]{1,64}$/;

/**
 * Cuts a byte stream into lines and counts them per request.
 *
 * @example
 * const reader = new RacsReader();
 * for (const parsed of reader.push(bytes)) answer(parsed);
 */
export class RacsReader {
  #pending = '';
  #line = 0;
  #open = false;

  /**
   * The lines that are complete with `bytes`.
   *
   * @throws SefleetError `GP_RACS_MALFORMED` when a line is longer than {@link RACS_MAX_LINE_BYTES}: the peer has to go.
   */
  push(bytes: Uint8Array): readonly RacsParsed[] {
    const parts = (this.#pending + Buffer.from(bytes).toString('latin1')).split('\n');
    this.#pending = parts.pop() ?? '';
    if (
      this.#pending.length > RACS_MAX_LINE_BYTES ||
      parts.some((part) => part.length > RACS_MAX_LINE_BYTES)
    ) {
      throw globalPlatformError('GP_RACS_MALFORMED', `a line has more than ${RACS_MAX_LINE_BYTES} bytes`);
    }
    return parts.map((part) => this.#next(part.endsWith('\r') ? part.slice(0, -1) : part));
  }

  #next(text: string): RacsParsed {
    const isBegin = text === 'BEGIN' || text.startsWith('BEGIN ');
    if (!this.#open && !isBegin) return refused(RACS_FAULT.ILLEGAL_COMMAND, 0, 0, 'waiting for BEGIN');
    if (this.#open && isBegin) {
      this.#open = false;
      return refused(RACS_FAULT.ILLEGAL_COMMAND, 1, this.#line + 1, 'a second BEGIN');
    }
    this.#line = isBegin ? 0 : this.#line + 1;
    if (this.#line > RACS_MAX_LINES) {
      throw globalPlatformError('GP_RACS_MALFORMED', `a request has more than ${RACS_MAX_LINES} lines`);
    }
    const parsed = parseRacsLine(text, this.#line);
    this.#open = parsed.kind === 'command' ? parsed.line.command.name !== 'END' : this.#open;
    return parsed;
  }
}

/** One line of a request as a command. `line` is its number. */
export function parseRacsLine(text: string, line: number): RacsParsed {
  const words = text.split(' ').filter((word) => word.length > 0);
  const append = words.length > 1 && words.at(-1) === APPEND;
  const [name = '', ...parameters] = append ? words.slice(0, -1) : words;
  if (!isCommandName(name)) return refused(RACS_FAULT.UNKNOWN_COMMAND, 0, line, 'unknown command');
  const code = RACS_COMMAND_CODE[name];
  const command = name === 'ECHO' ? echo(text, append) : readCommand(name, parameters);
  if (command === 'syntax')
    return refused(RACS_FAULT.SYNTAX, code, line, 'missing parameter or wrong syntax');
  if (command === 'illegal') return refused(RACS_FAULT.ILLEGAL_PARAMETER, code, line, 'illegal parameter');
  return { kind: 'command', line: { line, command, append } };
}

/** A request as it travels: BEGIN, the commands and END. */
export function encodeRacsRequest(
  label: string,
  commands: readonly { readonly command: RacsCommand; readonly append?: boolean }[],
): Uint8Array {
  const lines = commands.map(
    ({ command, append }) => `${commandText(command)}${append === true ? ` ${APPEND}` : ''}`,
  );
  const begin = label === '' ? 'BEGIN' : `BEGIN ${label}`;
  return Buffer.from([begin, ...lines, 'END', ''].join('\r\n'), 'latin1');
}

/** An answer as it travels. */
export function encodeRacsResponse(label: string, statuses: readonly RacsStatus[]): Uint8Array {
  const begin = label === '' ? 'BEGIN' : `BEGIN ${label}`;
  return Buffer.from([begin, ...statuses.map(statusText), 'END', ''].join('\r\n'), 'latin1');
}

/**
 * Reads a whole answer.
 *
 * @throws SefleetError `GP_RACS_MALFORMED`.
 */
export function decodeRacsResponse(bytes: Uint8Array): {
  readonly label: string;
  readonly statuses: readonly RacsStatus[];
} {
  const lines = Buffer.from(bytes).toString('latin1').split('\r\n');
  const [begin = '', ...rest] = lines;
  const ends = rest.at(-1) === '' && rest.at(-2) === 'END';
  if (!ends || (begin !== 'BEGIN' && !begin.startsWith('BEGIN ')) || rest.length > RACS_MAX_LINES + 2) {
    throw globalPlatformError('GP_RACS_MALFORMED', 'an answer stands between BEGIN and END');
  }
  return { label: begin.slice('BEGIN '.length), statuses: rest.slice(0, -2).map(parseStatus) };
}

function refused(fault: number, commandCode: number, line: number, text: string): RacsParsed {
  return { kind: 'refused', status: { ok: false, fault, commandCode, line, text } };
}

function isCommandName(name: string): name is RacsCommand['name'] {
  return Object.hasOwn(RACS_COMMAND_CODE, name);
}

function echo(text: string, append: boolean): RacsCommand {
  const said = text.slice('ECHO '.length);
  return { name: 'ECHO', text: append ? said.slice(0, -APPEND.length).trimEnd() : said };
}

function readCommand(
  name: Exclude<RacsCommand['name'], 'ECHO'>,
  parameters: readonly string[],
): RacsCommand | 'syntax' | 'illegal' {
  const [first, second] = parameters;
  switch (name) {
    case 'BEGIN':
      if (parameters.length > 1) return 'syntax';
      return (first ?? '').length > RACS_MAX_LABEL ? 'illegal' : { name, label: first ?? '' };
    case 'END':
    case 'GET-VERSION':
    case 'LIST':
      return parameters.length === 0 ? { name } : 'syntax';
    case 'SET-VERSION':
      if (first === undefined || parameters.length > 1) return 'syntax';
      return /^\d{1,3}\.\d{1,3}$/.test(first) ? { name, version: first } : 'illegal';
    case 'POWERON':
    case 'SHUTDOWN':
      if (first === undefined || parameters.length > 1) return 'syntax';
      return SEID.test(first) ? { name, seid: first } : 'illegal';
    case 'RESET':
      if (first === undefined || parameters.length > 2) return 'syntax';
      if (!SEID.test(first) || (second !== undefined && second !== 'WARM')) return 'illegal';
      return { name, seid: first, warm: second === 'WARM' };
    case 'APDU':
      return readApdu(parameters);
    default:
      return name satisfies never;
  }
}

function readApdu([seid, hex, ...options]: readonly string[]): RacsApdu | 'syntax' | 'illegal' {
  if (seid === undefined || hex === undefined) return 'syntax';
  const apdu = hexOf(hex);
  if (!SEID.test(seid) || apdu === undefined || apdu.length < 4) return 'illegal';
  const command: { -readonly [Key in keyof RacsApdu]: RacsApdu[Key] } = { name: 'APDU', seid, apdu };
  for (const option of options) {
    const [key, value = ''] = option.split('=');
    const bytes = hexOf(value);
    if (bytes === undefined) return 'illegal';
    if (key === 'CONTINUE' && bytes.length === 2)
      command.continueOn = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
    else if (key === 'MORE' && bytes.length === 1) command.more = bytes[0] ?? 0;
    else if (key === 'FETCH' && bytes.length === 4) command.fetch = bytes;
    else return 'illegal';
  }
  return command;
}

function hexOf(text: string): Uint8Array | undefined {
  return text.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(text) ? fromHex(text) : undefined;
}

function commandText(command: RacsCommand): string {
  switch (command.name) {
    case 'BEGIN':
      return `BEGIN ${command.label}`.trimEnd();
    case 'SET-VERSION':
      return `SET-VERSION ${command.version}`;
    case 'POWERON':
    case 'SHUTDOWN':
      return `${command.name} ${command.seid}`;
    case 'RESET':
      return `RESET ${command.seid}${command.warm ? ' WARM' : ''}`;
    case 'APDU':
      return apduText(command);
    case 'ECHO':
      return `ECHO ${command.text}`;
    default:
      return command.name;
  }
}

function apduText({ seid, apdu, continueOn, more, fetch }: RacsApdu): string {
  const hex = (value: number, digits: number): string =>
    value.toString(16).padStart(digits, '0').toUpperCase();
  const parts = ['APDU', seid, toHex(apdu).toUpperCase()];
  if (continueOn !== undefined) parts.push(`CONTINUE=${hex(continueOn, 4)}`);
  if (more !== undefined) parts.push(`MORE=${hex(more, 2)}`);
  if (fetch !== undefined) parts.push(`FETCH=${toHex(fetch).toUpperCase()}`);
  return parts.join(' ');
}

function statusText({ ok, fault, commandCode, line, text }: RacsStatus): string {
  const code = `${ok ? '+0' : `-${fault}`}${String(commandCode).padStart(2, '0')}`;
  // What a secure element or a user says must not become a line of its own.
  return `${code} ${String(line).padStart(3, '0')} ${text.replaceAll(/[\r\n]/g, ' ')}`.trimEnd();
}

function parseStatus(text: string): RacsStatus {
  const found = /^([+-])(\d)(\d\d) (\d{3})(?: (.*))?$/.exec(text);
  if (found === null) throw globalPlatformError('GP_RACS_MALFORMED', 'a line of an answer is no status line');
  const [, sign, fault, commandCode, line, said] = found;
  return {
    ok: sign === '+',
    fault: Number(fault),
    commandCode: Number(commandCode),
    line: Number(line),
    text: said ?? '',
  };
}
