import { STATUS_WORD } from '@sefleet/globalplatform';
import type { CommandApdu } from '@sefleet/globalplatform';
import { refuse } from '../../card/refusal.ts';
import { defineApplet } from '../applet.ts';
import type { Answer, AppletContext } from '../applet.ts';
import { IOT_SAFE_MODULE } from './identifiers.ts';
import {
  computeDh,
  computeHkdf,
  computePrf,
  generateKeys,
  getRandom,
  readPublicKey,
} from './key-commands.ts';
import { IOT_SAFE_INS } from './iot-safe-protocol.ts';
import { decodeIotSafeState, EMPTY_IOT_SAFE, encodeIotSafeState } from './iot-safe-state.ts';
import type { IotSafeState } from './iot-safe-state.ts';
import { getData, readFile } from './object-commands.ts';
import { personaliseIotSafe } from './personalisation.ts';
import {
  putPublicKeyInit,
  putPublicKeyUpdate,
  signInit,
  signUpdate,
  verifyInit,
  verifyUpdate,
} from './signature-commands.ts';

type Handler = (command: CommandApdu, context: AppletContext<IotSafeState>) => Answer;

const HANDLERS: Readonly<Record<number, Handler>> = {
  [IOT_SAFE_INS.PUT_PUBLIC_KEY_INIT]: putPublicKeyInit,
  [IOT_SAFE_INS.PUT_PUBLIC_KEY_UPDATE]: putPublicKeyUpdate,
  [IOT_SAFE_INS.COMPUTE_SIGNATURE_INIT]: signInit,
  [IOT_SAFE_INS.COMPUTE_SIGNATURE_UPDATE]: signUpdate,
  [IOT_SAFE_INS.VERIFY_SIGNATURE_INIT]: verifyInit,
  [IOT_SAFE_INS.VERIFY_SIGNATURE_UPDATE]: verifyUpdate,
  [IOT_SAFE_INS.COMPUTE_DH]: computeDh,
  [IOT_SAFE_INS.COMPUTE_PRF]: computePrf,
  [IOT_SAFE_INS.COMPUTE_HKDF]: computeHkdf,
  [IOT_SAFE_INS.GET_RANDOM]: getRandom,
  [IOT_SAFE_INS.READ_FILE]: readFile,
  [IOT_SAFE_INS.GENERATE_KEY_PAIR]: generateKeys,
  [IOT_SAFE_INS.GET_DATA]: getData,
  [IOT_SAFE_INS.READ_PUBLIC_KEY]: readPublicKey,
};

/** The IoT SAFE applet (GSMA IoT.05): the one door by which DTLS and TLS use keys that stay on the card. */
export const IOT_SAFE_APPLET = defineApplet<IotSafeState>({
  module: IOT_SAFE_MODULE,
  name: 'iot-safe',
  install: () => EMPTY_IOT_SAFE,
  process: (command, context) => {
    const handler = HANDLERS[command.ins];
    return handler === undefined ? refuse(STATUS_WORD.INS_NOT_SUPPORTED) : handler(command, context);
  },
  store: personaliseIotSafe,
  encode: encodeIotSafeState,
  decode: decodeIotSafeState,
});
