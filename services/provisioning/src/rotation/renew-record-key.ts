import {
  aidBytes,
  encodeApdu,
  expectStatus,
  plainLink,
  readRegistry,
  selectCommand,
  STATUS_SCOPE,
  STATUS_WORD,
  type Aid,
  type SecureChannelSession,
} from '@sefleet/globalplatform';
import {
  readRecordsStatus,
  recordAccountCommands,
  recordsStatusCommand,
  type RecordsStatus,
} from '@sefleet/secure-element';
import { CardConversation, type ApduChannel } from '../card-link/card-link.ts';
import { newestVersion, type PartyVault } from '../custody/key-custody.ts';
import type { DeviceRotation } from '../domain/rotation.ts';
import { provisioningError } from '../errors.ts';
import { FIRST_RECORD_KEY_VERSION } from '../manufacture/first-keys.ts';

/** What the renewal of a record key needs. */
interface RecordKeyPorts {
  readonly channel: ApduChannel;
  readonly vault: PartyVault;
  /** A session with the domain, under its own keys. */
  openDomain(): Promise<SecureChannelSession>;
}

/**
 * Has the card seal records under the newest record key of the domain's owner, when it seals under an older
 * one now. The applet says which: an account that waits for a cut-over, or is closed, stays as it is. Running
 * it again is safe.
 */
export async function renewRecordKey(rotation: DeviceRotation, ports: RecordKeyPorts): Promise<void> {
  const { vault, channel } = ports;
  const { endpoint, party, domain } = rotation;
  const newest = await newestVersion(vault, 'record');
  if (newest === undefined || newest <= FIRST_RECORD_KEY_VERSION) return;
  const session = await ports.openDomain();
  const applications = await readRegistry(session, STATUS_SCOPE.APPLICATIONS);
  for (const { aid, securityDomain } of applications) {
    if (securityDomain !== domain) continue;
    const status = await statusOf(channel, aid);
    const serves = status?.stakeholder === party && status.endpoint === endpoint && !status.closed;
    if (!serves || (status.keyVersion ?? 0) >= newest) continue;
    const owner = await ports.openDomain();
    const recordKey = await vault.recordKey(newest, endpoint);
    const account = { stakeholder: party, keyVersion: newest, endpoint, recordKey };
    for (const command of recordAccountCommands(owner, account)) {
      await expectStatus(owner, command, 'STORE DATA 0101');
    }
    const now = await statusOf(channel, aid);
    if (now?.keyVersion !== newest) {
      throw provisioningError('PROVISIONING_KEY_UNCONFIRMED', 'the card seals under another record key', {
        context: { keyVersion: now?.keyVersion, expected: newest },
      });
    }
    return;
  }
}

/** What a measuring applet says of itself; undefined for other applications. */
async function statusOf(channel: ApduChannel, application: Aid): Promise<RecordsStatus | undefined> {
  const conversation = new CardConversation(channel);
  conversation.putAhead(encodeApdu(selectCommand(aidBytes(application))));
  const { data, sw } = await plainLink(conversation.transmit).transmit(recordsStatusCommand());
  return sw === STATUS_WORD.OK ? readRecordsStatus(data) : undefined;
}
