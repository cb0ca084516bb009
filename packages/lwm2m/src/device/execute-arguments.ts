import { lwm2mError } from '../errors.ts';

/** Arguments of an Execute: by digit 0 to 9, the value, or true for an argument without one. */
export type ExecuteArguments = ReadonlyMap<number, string | true>;

const NONE: ExecuteArguments = new Map();
/** One argument: a digit, then a value in single quotes if it has one (Core §6.3.5). */
const ARGUMENT = /([0-9])(?:='([\u0020-\u0026\u0028-\uffff]*)')?(,|$)/y;

/**
 * Reads the payload of an Execute: `0='a',2`.
 *
 * @throws SefleetError `LWM2M_BAD_REQUEST`
 */
export function parseExecuteArguments(text: string): ExecuteArguments {
  if (text === '') return NONE;
  const args = new Map<number, string | true>();
  ARGUMENT.lastIndex = 0;
  for (let comma = ','; comma === ',';) {
    const match = ARGUMENT.exec(text);
    const digit = Number(match?.[1]);
    if (match === null || args.has(digit)) {
      throw lwm2mError('LWM2M_BAD_REQUEST', 'malformed arguments of an execute');
    }
    args.set(digit, match[2] ?? true);
    comma = match[3] ?? '';
  }
  return args;
}

/** The payload of an Execute. Values hold no single quote. */
export function formatExecuteArguments(args: ExecuteArguments): string {
  return [...args].map(([digit, value]) => (value === true ? `${digit}` : `${digit}='${value}'`)).join();
}
