import { COMMAND_CODES, ERROR_CLASSES, type ErrorClass } from './command.ts';

/** The answer to one command. */
export interface StatusLine {
  readonly ok: boolean;
  /** Digits after the sign: error class (0 on success), then the command's two digits. */
  readonly code: number;
  /** Which line of the request it answers; BEGIN is 0. */
  readonly line: number;
  readonly text: string;
}

/** `+0yz NNN text` or `-Xyz NNN text`. */
export function formatStatusLine({ ok, code, line, text }: StatusLine): string {
  const number = String(line).padStart(3, '0');
  return `${ok ? '+' : '-'}${String(code).padStart(3, '0')} ${number}${text === '' ? '' : ` ${text}`}`;
}

/** Reads a status line; undefined for anything else. */
export function parseStatusLine(line: string): StatusLine | undefined {
  const found = /^([+-])(\d{3}) (\d{3})(?: (.*))?$/.exec(line);
  if (found === null) return undefined;
  const [, sign, code, number, text = ''] = found;
  return { ok: sign === '+', code: Number(code), line: Number(number), text };
}

/** The status of a command that was carried out. */
export function success(command: keyof typeof COMMAND_CODES, line: number, text: string): StatusLine {
  return { ok: true, code: COMMAND_CODES[command], line, text };
}

/** The status of a command that was not. */
export function failure(
  command: keyof typeof COMMAND_CODES,
  error: ErrorClass,
  line: number,
  text: string,
): StatusLine {
  return { ok: false, code: ERROR_CLASSES[error] * 100 + COMMAND_CODES[command], line, text };
}
