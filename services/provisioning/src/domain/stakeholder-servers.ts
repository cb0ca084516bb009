import { provisioningError } from '../errors.ts';
import { allParties, findParty, partyId, type PartyId } from './party.ts';

/** An LwM2M server of a stakeholder's own, beside the one that the network provider runs. */
export interface StakeholderServer {
  /** Where devices reach it. */
  readonly uri: string;
  /** Its northbound interface, `host:port`. */
  readonly target: string;
}

/** The servers by stakeholder; one that is not among them reads its records from the network provider. */
export type StakeholderServers = ReadonlyMap<PartyId, StakeholderServer>;

const ENTRY = /^([a-z0-9-]+)=(coaps:\/\/[^\s@]+)@([^\s@]+:\d{1,5})$/;

/**
 * Reads `<party>=<coaps URI>@<gRPC address>`, with blanks between several.
 *
 * @throws SefleetError `PROVISIONING_REQUEST_INVALID`, `PROVISIONING_STAKEHOLDER_NOT_FOUND`
 */
export function parseStakeholderServers(text: string): StakeholderServers {
  const servers = new Map<PartyId, StakeholderServer>();
  for (const entry of text.split(/\s+/).filter((part) => part !== '')) {
    const [, party = '', uri = '', target = ''] = ENTRY.exec(entry) ?? [];
    if (party !== '' && findParty(party)?.roles.includes('service-provider') !== true) {
      const known = allParties().filter(({ roles }) => roles.includes('service-provider'));
      throw provisioningError(
        'PROVISIONING_STAKEHOLDER_NOT_FOUND',
        `no service provider is called ${JSON.stringify(party)}`,
        { hint: `Known: ${known.map(({ id }) => id).join(', ')}.` },
      );
    }
    if (party === '' || servers.has(partyId(party))) {
      throw provisioningError('PROVISIONING_REQUEST_INVALID', `${entry} names no server of a stakeholder`, {
        hint: 'Write each as northern-power=coaps://127.0.0.1:5690@127.0.0.1:50061, once.',
      });
    }
    servers.set(partyId(party), { uri, target });
  }
  return servers;
}
