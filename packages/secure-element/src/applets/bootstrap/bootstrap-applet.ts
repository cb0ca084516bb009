import { ByteReader, ByteWriter, constantTimeEqual, fromHex } from '@sefleet/bytes';
import { decodeTlvs, encodeTlv, findTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { CommandApdu } from '@sefleet/globalplatform';
import { orRefuse, refuse } from '../../card/refusal.ts';
import { defineApplet } from '../applet.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { BOOTSTRAP_MODULE } from './identifiers.ts';

/** What the bootstrap applet keeps. */
interface BootstrapState {
  readonly content: Uint8Array;
  /** Empty: reading is free. */
  readonly pin: Uint8Array;
  readonly triesLeft: number;
}

/** What it remembers until it is deselected. */
interface BootstrapMemory {
  readonly selected: number;
  readonly verified: boolean;
}

type Context = AppletContext<BootstrapState>;

const INS = { VERIFY: 0x20, SELECT: 0xa4, READ_BINARY: 0xb0 } as const;
/** Data objects of its personalisation: the file's content, and a PIN. */
export const BOOTSTRAP_TAG = { CONTENT: 0x80, PIN: 0x81 } as const;
const ODF = 0x5031;
const TOKEN_INFO = 0x5032;
const DODF = 0x6430;
const BOOTSTRAP = 0x6432;
const MAX_TRIES = 3;
const MAX_CONTENT_BYTES = 16_000;
const BY_ID = 0x00;
const BY_PATH = [0x08, 0x09] as const;
const NO_RESPONSE = 0x0c;

/** EF(ODF): the data object directory lies in 6430 (PKCS #15 v1.1 §6.2, choice 7). */
const ODF_CONTENT = fromHex('a706 3004 0402 6430');
/** EF(DODF): an object with the identifier of LwM2M bootstrap, 2.23.43.9.1, whose value lies in 6432. */
const DODF_CONTENT = fromHex('a11b 3007 0c05 4c774d324d 3000 a10e 300c 0604 672b0901 3004 0402 6432');

/**
 * Bootstrap from the smartcard (LwM2M core 1.2 §G): a PKCS#15 application whose data object directory leads
 * to the file with Security and Server objects. Reading is free or behind a PIN; only its Security Domain
 * writes.
 */
export const BOOTSTRAP_APPLET = defineApplet<BootstrapState>({
  module: BOOTSTRAP_MODULE,
  name: 'bootstrap',
  install: () => ({ content: new Uint8Array(0), pin: new Uint8Array(0), triesLeft: MAX_TRIES }),
  process: (command, context) => {
    switch (command.ins) {
      case INS.SELECT:
        return selectFile(command, context);
      case INS.READ_BINARY:
        return readBinary(command, context);
      case INS.VERIFY:
        return verifyPin(command, context);
      default:
        return refuse(STATUS_WORD.INS_NOT_SUPPORTED);
    }
  },
  store: (data, _p1, context) => {
    const objects = decodeTlvs(data);
    const content = findTlv(objects, BOOTSTRAP_TAG.CONTENT) ?? context.state.content;
    const pin = findTlv(objects, BOOTSTRAP_TAG.PIN) ?? context.state.pin;
    if (content.length > MAX_CONTENT_BYTES || pin.length > 16) return refuse(STATUS_WORD.WRONG_DATA);
    context.state = { content: content.slice(), pin: pin.slice(), triesLeft: MAX_TRIES };
    return new Uint8Array(0);
  },
  encode: ({ content, pin, triesLeft }) =>
    new ByteWriter(content.length + 32)
      .u8(triesLeft)
      .lengthPrefixed(1, (body) => body.bytes(pin))
      .lengthPrefixed(2, (body) => body.bytes(content))
      .finish(),
  decode: (bytes) => {
    const reader = new ByteReader(bytes);
    const triesLeft = reader.u8();
    return { triesLeft, pin: reader.bytes(reader.u8()).slice(), content: reader.bytes(reader.u16()).slice() };
  },
});

function selectFile(command: CommandApdu, context: Context): Answer {
  const byPath = BY_PATH.some((p1) => p1 === command.p1);
  if (!byPath && command.p1 !== BY_ID) refuse(STATUS_WORD.FUNCTION_NOT_SUPPORTED);
  const [high = 0, low = 0] = command.data.subarray(-2);
  const selected = (high << 8) | low;
  const content = orRefuse(contentOf(selected, context), STATUS_WORD.NOT_FOUND);
  context.memory = { ...memoryOf(context), selected };
  if ((command.p2 & NO_RESPONSE) === NO_RESPONSE) return new Uint8Array(0);
  const size = encodeTlv(0x80, Uint8Array.of(content.length >> 8, content.length));
  // A transparent working file.
  return encodeTlv(
    0x62,
    encodeTlv(0x82, Uint8Array.of(0x01)),
    encodeTlv(0x83, Uint8Array.of(high, low)),
    size,
  );
}

function readBinary(command: CommandApdu, context: Context): Answer {
  const { selected, verified } = memoryOf(context);
  const content = orRefuse(contentOf(selected, context), STATUS_WORD.COMMAND_NOT_ALLOWED);
  const guarded = selected === BOOTSTRAP && context.state.pin.length > 0 && !verified;
  if (guarded) refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
  const offset = (command.p1 << 8) | command.p2;
  if (command.p1 >= 0x80 || offset > content.length) refuse(STATUS_WORD.INCORRECT_P1_P2);
  return content.slice(offset, offset + (command.le ?? 256));
}

/** The try is counted before the comparison, so that cutting the power after a wrong one saves nothing. */
function verifyPin(command: CommandApdu, context: Context): Answer {
  const { state } = context;
  if (state.pin.length === 0) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (command.data.length === 0) return { data: new Uint8Array(0), sw: 0x63c0 | state.triesLeft };
  if (state.triesLeft === 0) refuse(STATUS_WORD.AUTHENTICATION_METHOD_BLOCKED);
  context.setCounter({ ...state, triesLeft: state.triesLeft - 1 });
  context.commitNow();
  const padded = new Uint8Array(Math.max(state.pin.length, command.data.length)).fill(0xff);
  padded.set(state.pin);
  const right = constantTimeEqual(padded.subarray(0, command.data.length), command.data);
  if (!right || command.data.length < state.pin.length) {
    context.memory = { ...memoryOf(context), verified: false };
    return refuse(0x63c0 | (state.triesLeft - 1));
  }
  context.setCounter({ ...state, triesLeft: MAX_TRIES });
  context.memory = { ...memoryOf(context), verified: true };
  return new Uint8Array(0);
}

function contentOf(file: number, { state, diversificationData }: Context): Uint8Array | undefined {
  switch (file) {
    case ODF:
      return ODF_CONTENT;
    case DODF:
      return DODF_CONTENT;
    case TOKEN_INFO:
      return tokenInfo(diversificationData);
    case BOOTSTRAP:
      return state.content;
    default:
      return undefined;
  }
}

/** EF(TokenInfo): version 1, the card's serial number, a label, read only (PKCS #15 v1.1 §6.9). */
function tokenInfo(serialNumber: Uint8Array): Uint8Array {
  return encodeTlv(
    0x30,
    encodeTlv(0x02, Uint8Array.of(0)),
    encodeTlv(0x04, serialNumber),
    encodeTlv(0x80, Buffer.from('LwM2M')),
    encodeTlv(0x03, Uint8Array.of(0x07, 0x80)),
  );
}

function memoryOf(context: Context): BootstrapMemory {
  // Only this applet writes its memory.
  return (context.memory as BootstrapMemory | undefined) ?? { selected: 0, verified: false };
}
