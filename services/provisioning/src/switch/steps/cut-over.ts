import { sha256Hex } from '@sefleet/evidence';
import { aidBytes, STATUS_WORD } from '@sefleet/globalplatform';
import { deadlineIn } from '../../domain/switch/working-days.ts';
import { provisioningError } from '../../errors.ts';
import { forgetActivation } from '../cut-over-staging.ts';
import { findEntry } from '../meter-card.ts';
import type { StepContext } from '../step-context.ts';
import { keepOldSession } from './probe-old.ts';
import { removeFromCard } from './credential.ts';

const RETRY_MS = 60_000;

/**
 * Fetches the cut-over reading, which the meter took by itself at the instant and its card sealed for both
 * suppliers. A card that refused left the old supplier in place: there is nothing to wait for then.
 */
export async function fetchCutOverRecords(context: StepContext): Promise<number | undefined> {
  const { meter, endpoint, evidence, order } = context;
  const records = await meter.cutOverRecords(endpoint);
  if (records === undefined) {
    if (context.now() > deadlineIn(order.market, order.cutOverAt)) {
      throw provisioningError('SWITCH_METER_REFUSED', `${endpoint} has taken no cut-over reading`);
    }
    return context.now() + RETRY_MS;
  }
  evidence.cutOver = {
    closingRecord: sha256Hex(records.closing),
    openingRecord: sha256Hex(records.opening),
    takenAt: context.now(),
  };
  return undefined;
}

/** Hands the metering applet over to the new supplier's domain, allowed by the issuer's token. */
export async function extraditeApplet(context: StepContext): Promise<void> {
  const { old, fresh, records, inDoubt } = context;
  const session = await context.openTsm();
  const entry = await findEntry(session, records);
  if (entry?.securityDomain === fresh.domain && inDoubt) return context.accountForLostReceipts(session);
  const allowed = await context.tokens.extradite(records, fresh.domain);
  const sw = await context.delegate(session, allowed, {
    kind: 'extradition',
    from: aidBytes(old.domain),
    application: aidBytes(records),
    to: aidBytes(fresh.domain),
  });
  if (sw !== STATUS_WORD.OK) throw refused('INSTALL [for extradition]', sw);
}

/** Deletes the old supplier's domain with all of its keys. */
export async function removeOldDomain(context: StepContext): Promise<void> {
  const { old, evidence, inDoubt } = context;
  const goOnAsBefore = await keepOldSession(context);
  const session = await context.openTsm();
  if (inDoubt) await context.accountForLostReceipts(session);
  for (const object of [old.credential, old.domain]) await removeFromCard(context, session, object);
  if ((await findEntry(session, old.domain)) !== undefined)
    throw refused('DELETE of the old domain', STATUS_WORD.OK);
  evidence.keyStates.push({ domain: old.domain, when: 'after-removal', keys: [] });
  await goOnAsBefore?.();
}

/** The books: whose domain the meter has now. */
export async function closeBooks(context: StepContext): Promise<void> {
  const { store, endpoint, old } = context;
  await store.removeDomain(endpoint, old.domain);
  await forgetActivation(context);
}

function refused(what: string, sw: number): Error {
  return provisioningError('PROVISIONING_CARD_REFUSED', `${what}: ${sw.toString(16)}`, { context: { sw } });
}
