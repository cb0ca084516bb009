import type { MessageInitShape } from '@bufbuild/protobuf';
import type { secureElement } from '@sefleet/api';
import { lifeCycleName, privilegeNames } from '@sefleet/globalplatform';
import type { EntryDescription } from '@sefleet/secure-element';
import type { BenchCard } from './card-directory.ts';

/** A card in the list. */
export function summaryOf(
  card: BenchCard,
): MessageInitShape<typeof secureElement.SecureElementSummarySchema> {
  const { endpoint, kind, revision, applications } = card;
  return { endpoint, kind, revision: BigInt(revision), applications: [...applications] };
}

/** What is on a card. */
export function descriptionOf(
  card: BenchCard,
): MessageInitShape<typeof secureElement.DescribeSecureElementResponseSchema> {
  const { lifeCycle, memoryBytes, freeBytes, confirmationCounter, loadFiles, entries } = card.describe();
  return {
    summary: summaryOf(card),
    lifeCycle: lifeCycleName('card', lifeCycle),
    memoryBytes: BigInt(memoryBytes),
    freeBytes: BigInt(Math.max(0, freeBytes)),
    confirmationCounter,
    loadFiles: [...loadFiles],
    entries: entries.map((entry, i) => entryOf(entry, i === 0)),
  };
}

function entryOf(
  entry: EntryDescription,
  isIssuer: boolean,
): MessageInitShape<typeof secureElement.RegistryEntrySchema> {
  const { aid, kind, parent, loadFile = '', lifeCycle, privileges, keys, usedBytes, quotaBytes } = entry;
  return {
    aid,
    securityDomain: kind === 'security-domain',
    parent,
    loadFile,
    // The Issuer Security Domain has no state of its own: it shows the card's (GPCS 2.3.1 §5.1).
    lifeCycle: lifeCycleName(isIssuer ? 'card' : kind, lifeCycle),
    privileges: [...privilegeNames(privileges)],
    keys: keys.map(({ version, id, type, length, checkValue }) => ({
      version,
      id,
      type,
      length,
      checkValue,
    })),
    usedBytes: BigInt(usedBytes),
    quotaBytes: BigInt(quotaBytes),
  };
}
