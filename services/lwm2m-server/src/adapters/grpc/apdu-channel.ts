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
      const check = checkerOf(access, context, endpoint);
      check(commands);
      return { responses: [...(await door.exchange(endpoint, commands, context.signal))] };
    },
    openApduChannel: async function* (requests, context) {
      const { signal } = context;
      let conversation: ApduConversation | undefined;
      let check: ReturnType<typeof checkerOf> | undefined;
      // A caller that hangs up between two scripts would otherwise hold the card until it idles out.
      signal.addEventListener('abort', () => conversation?.close(), { once: true });
      try {
        for await (const { endpoint, commands } of requests) {
          if (conversation === undefined && endpoint === '') {
            throw serviceError('LWM2M_REQUEST_INVALID', 'the first message of a channel names the endpoint');
          }
          check ??= checkerOf(access, context, endpoint);
          check(commands);
          conversation ??= await door.open(endpoint);
          if (signal.aborted) return;
          yield { responses: [...(await conversation.exchange(commands, signal))] };
        }
      } finally {
        conversation?.close();
      }
    },
  };
}

/**
 * Checks the scripts of one conversation. A caller that is granted some Security Domains only has to
 * select one of them before anything else and can reach no other: what selects in a way that is not
 * understood is refused.
 */
function checkerOf(
  access: DeviceAccess,
  context: Pick<CallContext, 'caller'>,
  endpoint: string,
): (commands: readonly Uint8Array[]) => void {
  access.device(context, 'apdu', endpoint, [APDU_COMMAND_PATH]);
  const granted = access.require(context, 'apdu').securityDomains;
  let selected = false;
  return (commands) => {
    if (granted === undefined) return;
    for (const command of commands) {
      const selection = selectionOf(command);
      const allowed =
        selection?.kind === 'select' ? granted.has(selection.aid) : selection === undefined && selected;
      if (!allowed) throw access.refuse(context, 'apdu', endpoint, 'Security Domain not granted');
      selected = true;
    }
  };
}
