import type { management } from '@sefleet/api';
import type { ServiceImplementation } from '@sefleet/service';
import type { ApduConversation, ApduDoor } from '../../domain/apdu-door.ts';
import { serviceError } from '../../errors.ts';

type Apdus = Pick<
  ServiceImplementation<typeof management.DeviceManagementService>,
  'exchangeApdus' | 'openApduChannel'
>;

/** APDUs to a device's secure element, for callers. */
export function apduOperations(door: ApduDoor): Apdus {
  return {
    exchangeApdus: async ({ endpoint, commands }, { signal }) => {
      return { responses: [...(await door.exchange(endpoint, commands, signal))] };
    },
    openApduChannel: async function* (requests, { signal }) {
      let conversation: ApduConversation | undefined;
      // A caller that hangs up between two scripts would otherwise hold the card until it idles out.
      signal.addEventListener('abort', () => conversation?.close(), { once: true });
      try {
        for await (const { endpoint, commands } of requests) {
          if (conversation === undefined && endpoint === '') {
            throw serviceError('LWM2M_REQUEST_INVALID', 'the first message of a channel names the endpoint');
          }
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
