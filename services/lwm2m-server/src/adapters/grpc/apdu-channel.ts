import type { management } from '@sefleet/api';
import { APDU_COMMAND_PATH } from '@sefleet/lwm2m-coap';
import type { CallContext, ServiceImplementation } from '@sefleet/service';
import { selectionOf } from '../../domain/access/selected-applications.ts';
import type { ApduConversation, ApduDoor } from '../../domain/apdu-door.ts';
import { serviceError } from '../../errors.ts';
import type { DeviceAccess } from './device-access.ts';

type Apdus = Pick<
  ServiceImplementation<typeof management.DeviceManagementService>,
  'exchangeApdus' | 'openApduChannel'
>;

/** APDUs to a device's secure element, for callers. */
export function apduOperations(access: DeviceAccess, door: ApduDoor): Apdus {
  return {
    exchangeApdus: async ({ endpoint, commands }, context) => {
      scriptGuard(access, context, endpoint).check(commands);
      return { responses: [...(await door.exchange(endpoint, commands, context.signal))] };
    },
    openApduChannel: async function* (requests, context) {
      const { signal } = context;
      let conversation: ApduConversation | undefined;
      let guard: ScriptGuard | undefined;
      // A caller that hangs up between two scripts would otherwise hold the card until it idles out.
      signal.addEventListener('abort', () => conversation?.close(), { once: true });
      try {
        for await (const { endpoint, commands } of requests) {
          if (conversation === undefined && endpoint === '') {
            throw serviceError('LWM2M_REQUEST_INVALID', 'the first message of a channel names the endpoint');
          }
          guard ??= scriptGuard(access, context, endpoint);
          guard.check(commands);
          conversation ??= await door.open(endpoint);
          if (signal.aborted) return;
          const responses = await conversation.exchange(commands, signal);
          guard.answered(commands, responses);
          yield { responses: [...responses] };
        }
      } finally {
        conversation?.close();
      }
    },
  };
}

/** Watches the scripts of one conversation. */
interface ScriptGuard {
  /** @throws SefleetError `LWM2M_ACCESS_FORBIDDEN` */
  check(commands: readonly Uint8Array[]): void;
  answered(commands: readonly Uint8Array[], responses: readonly Uint8Array[]): void;
}

/**
 * Lets a caller that is granted some Security Domains only reach no other: it has to select one of them
 * before anything else, and what selects in a way that is not understood is refused. A SELECT that the
 * card refused leaves whatever was selected before, by somebody else perhaps, so that it does not count.
 */
function scriptGuard(
  access: DeviceAccess,
  context: Pick<CallContext, 'caller'>,
  endpoint: string,
): ScriptGuard {
  access.device(context, 'apdu', endpoint, [APDU_COMMAND_PATH]);
  const granted = access.require(context, 'apdu').securityDomains;
  let selected = false;
  return {
    check: (commands) => {
      if (granted === undefined) return;
      for (const command of commands) {
        const selection = selectionOf(command);
        const allowed =
          selection?.kind === 'select' ? granted.has(selection.aid) : selection === undefined && selected;
        if (!allowed) throw access.refuse(context, 'apdu', endpoint, 'Security Domain not granted');
        selected = true;
      }
    },
    answered: (commands, responses) => {
      for (const [index, command] of commands.entries()) {
        if (selectionOf(command) !== undefined) selected = succeeded(responses[index]);
      }
    },
  };
}

/** 9000 or 61xx (ISO/IEC 7816-4 §5.6). */
function succeeded(response: Uint8Array | undefined): boolean {
  if (response === undefined || response.length < 2) return false;
  const [sw1, sw2] = response.subarray(-2);
  return (sw1 === 0x90 && sw2 === 0x00) || sw1 === 0x61;
}
