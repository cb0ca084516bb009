import { concatBytes } from '@sefleet/bytes';
import { decodeApdu, encodeApdu } from '../apdu/command-apdu.ts';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { decodeResponse } from '../apdu/response-apdu.ts';
import type { ResponseApdu } from '../apdu/response-apdu.ts';
import { globalPlatformError } from '../errors.ts';
import { describeStatusWord, STATUS_WORD } from '../status-word.ts';

/** The way to a card, whatever lies between: a command APDU in, a response APDU out. */
export type Transmit = (apdu: Uint8Array) => Promise<Uint8Array> | Uint8Array;

/**
 * The way to a card for a script: the answers in order, fewer than the commands when the card's refusal of
 * one ended it.
 */
export type TransmitScript = (apdus: readonly Uint8Array[]) => Promise<readonly Uint8Array[]>;

/**
 * One exchange, as a trace hook sees it. `plain` is the command before secure messaging, where there is any.
 */
export interface TraceEntry {
  readonly command: Uint8Array;
  readonly response: Uint8Array;
  readonly plain?: CommandApdu;
}

/** Told of every exchange in order, for recording; it must not throw. Traces hold no key in the clear. */
export type Trace = (entry: TraceEntry) => void;

/** What a host speaks to: a card, or a secure channel session with one. */
export interface CardLink {
  /** Sends one command and gives its response, whatever the status word. */
  transmit(command: CommandApdu): Promise<ResponseApdu>;
}

/** GET RESPONSE is repeated at most this often for one command: 16 MiB would be no card's answer. */
const MAX_CONTINUATIONS = 512;

/**
 * A link without secure messaging. It follows `61xx` with GET RESPONSE and repeats a command after `6Cxx`
 * with the Le that the card names, as T=0 readers leave it to the host (ISO/IEC 7816-3 §12.2.1).
 */
export function plainLink(transmit: Transmit, trace?: Trace): CardLink {
  return { transmit: (command) => exchange(transmit, command, command, trace) };
}

/** One command with its continuations; `plain` is what the trace is told. */
export async function exchange(
  transmit: Transmit,
  command: CommandApdu,
  plain: CommandApdu,
  trace?: Trace,
): Promise<ResponseApdu> {
  let response = await once(transmit, command, plain, trace);
  if (response.sw >> 8 === 0x6c) {
    const le = response.sw & 0xff || 0x100;
    response = await once(transmit, { ...command, le }, plain, trace);
  }
  for (let i = 0; response.sw >> 8 === 0x61; i++) {
    if (i === MAX_CONTINUATIONS) {
      throw globalPlatformError('GP_STATUS_WORD', 'the card asks for GET RESPONSE without end');
    }
    const next = { cla: classOfGetResponse(command.cla), ins: 0xc0, p1: 0, p2: 0, data: new Uint8Array(0) };
    const more = await once(transmit, { ...next, le: response.sw & 0xff || 0x100 }, next, trace);
    response = { data: concatBytes(response.data, more.data), sw: more.sw };
  }
  return response;
}

/**
 * The response data when the status word is `expected`.
 *
 * @throws SefleetError `GP_STATUS_WORD` with `sw` and `ins` in its context.
 */
export async function expectStatus(
  link: CardLink,
  command: CommandApdu,
  what: string,
  expected: readonly number[] = [STATUS_WORD.OK],
): Promise<ResponseApdu> {
  return expectedStatus(await link.transmit(command), command, what, expected);
}

/** The response itself when its status word is `expected`. @throws SefleetError as {@link expectStatus} */
export function expectedStatus(
  response: ResponseApdu,
  command: CommandApdu,
  what: string,
  expected: readonly number[] = [STATUS_WORD.OK],
): ResponseApdu {
  if (expected.includes(response.sw)) return response;
  const sw = response.sw.toString(16).padStart(4, '0').toUpperCase();
  throw globalPlatformError('GP_STATUS_WORD', `${what}: ${sw}, ${describeStatusWord(response.sw)}`, {
    context: { sw: response.sw, ins: command.ins, p1: command.p1, p2: command.p2 },
  });
}

/** Command bytes as a {@link CommandApdu}, for scripts of APDUs. */
export async function transmitBytes(link: CardLink, apdu: Uint8Array): Promise<ResponseApdu> {
  return await link.transmit(decodeApdu(apdu));
}

function classOfGetResponse(cla: number): number {
  return (cla & 0x40) === 0 ? cla & 0x03 : cla & 0x4f;
}

async function once(
  transmit: Transmit,
  command: CommandApdu,
  plain: CommandApdu,
  trace: Trace | undefined,
): Promise<ResponseApdu> {
  const bytes = encodeApdu(command);
  const response = await transmit(bytes);
  trace?.({ command: bytes, response, plain });
  return decodeResponse(response);
}
