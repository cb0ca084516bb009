import { formatCode } from '@sefleet/coap';
import { CONTENT_FORMAT } from '@sefleet/lwm2m';
import {
  APDU_COMMAND_PATH,
  APDU_RESPONSE_PATH,
  decodeApduScript,
  encodeApduScript,
} from '@sefleet/lwm2m-coap';
import type { FleetDirectory } from './fleet-directory.ts';
import type { Timers } from '@sefleet/runtime';
import { serviceError } from '../errors.ts';
import { DeviceLocks } from './device-locks.ts';

/** One conversation with a device's secure element; nobody else speaks to it until it is closed. */
export interface ApduConversation {
  /** Runs a script; the answers come in order, fewer than the commands when the card refused one. */
  exchange(commands: readonly Uint8Array[], signal?: AbortSignal): Promise<readonly Uint8Array[]>;
  close(): void;
}

/** How long a caller waits for the secure element while others speak to it. */
const LOCK_WAIT_MS = 30_000;
/** A conversation that is silent for so long loses the lock: its caller may be gone. */
const IDLE_MS = 60_000;

/** The way to the devices' secure elements: object 30000, one conversation a device at a time. */
export class ApduDoor {
  readonly #fleet: Pick<FleetDirectory, 'device'>;
  readonly #timers: Timers;
  readonly #locks: DeviceLocks;

  constructor(fleet: Pick<FleetDirectory, 'device'>, timers: Timers) {
    this.#fleet = fleet;
    this.#timers = timers;
    this.#locks = new DeviceLocks(timers);
  }

  /** One script in a conversation of its own. */
  async exchange(
    endpoint: string,
    commands: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    const conversation = await this.open(endpoint);
    try {
      return await conversation.exchange(commands, signal);
    } finally {
      conversation.close();
    }
  }

  /**
   * Opens a conversation, when the device's other ones are over.
   *
   * @param onIdle told when it was silent for too long and has been closed
   * @throws SefleetError `LWM2M_DEVICE_NOT_FOUND`, `LWM2M_APDU_LOCK_TIMEOUT`
   */
  async open(endpoint: string, onIdle: () => void = () => {}): Promise<ApduConversation> {
    this.#fleet.device(endpoint);
    const release = await this.#locks.acquire(endpoint, LOCK_WAIT_MS);
    let open = true;
    const idle = (): void => {
      open = false;
      release();
      onIdle();
    };
    let timer = this.#timers.after(IDLE_MS, idle);
    return {
      exchange: async (commands, signal) => {
        if (!open) throw serviceError('LWM2M_APDU_CHANNEL_TIMEOUT', 'the conversation is closed');
        timer.cancel();
        try {
          return await this.#run(endpoint, commands, signal);
        } finally {
          timer.cancel();
          if (open) timer = this.#timers.after(IDLE_MS, idle);
        }
      },
      close: () => {
        open = false;
        timer.cancel();
        release();
      },
    };
  }

  /** Write runs the script and is answered when it has run; Read fetches the answers: two round trips. */
  async #run(
    endpoint: string,
    commands: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Uint8Array[]> {
    if (commands.length === 0) return [];
    const device = this.#fleet.device(endpoint);
    const options = signal === undefined ? {} : { signal };
    const written = await device.writeOpaque(APDU_COMMAND_PATH, encodeApduScript(commands), options);
    if (!written.success) throw refused(endpoint, 'write', written.code);
    const read = await device.read(APDU_RESPONSE_PATH, CONTENT_FORMAT.OPAQUE, options);
    if (!read.success) throw refused(endpoint, 'read', read.code);
    return decodeApduScript(read.payload);
  }
}

function refused(endpoint: string, operation: string, coapCode: number): Error {
  const code = formatCode(coapCode);
  return serviceError('LWM2M_APDU_REFUSED', `${endpoint} answered ${code} to the ${operation} of a script`, {
    context: { endpoint, code, operation },
  });
}
