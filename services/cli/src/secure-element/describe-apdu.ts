import { decodeApdu, describeStatusWord, INS } from '@sefleet/globalplatform';
import { toHex } from '@sefleet/bytes';

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(INS).map(([name, ins]) => [ins, name.replaceAll('_', ' ')]),
);

/** A command for people: `SELECT P1P2=0400 data=A000000151000000`. */
export function describeCommand(command: Uint8Array): string {
  const { cla, ins, p1, p2, data } = decodeApdu(command);
  const name = NAMES.get(ins) ?? `INS ${hexByte(ins)}`;
  const secured = (cla & 0x04) === 0 || cla >= 0xc0 ? '' : ' (secure messaging)';
  const shown = data.length === 0 ? '' : ` data=${toHex(data).toUpperCase()}`;
  return `${name}${secured} P1P2=${hexByte(p1)}${hexByte(p2)}${shown}`;
}

/** A response for people: its bytes and what the status word says. */
export function describeResponse(response: Uint8Array): string {
  const sw = (response.at(-2) ?? 0) * 256 + (response.at(-1) ?? 0);
  const body = toHex(response.subarray(0, -2)).toUpperCase();
  const status = sw.toString(16).toUpperCase().padStart(4, '0');
  return `${body}${body === '' ? '' : ' '}${status} ${describeStatusWord(sw)}`;
}

function hexByte(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, '0');
}
