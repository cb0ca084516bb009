import { sha256Hex } from '@sefleet/evidence';
import { aidBytes, STATUS_WORD, type ReceiptContext } from '@sefleet/globalplatform';
import { partsOf } from '../../domain/switch/switch-order.ts';
import { deadlineIn } from '../../domain/switch/working-days.ts';
import { provisioningError } from '../../errors.ts';
import { forgetActivation } from '../cut-over-staging.ts';
import { lookFor, runScript } from '../card-script.ts';
import { findEntry, readConfirmationCounter } from '../meter-card.ts';
import type { StepContext } from '../step-context.ts';
import { keepOldSession } from './probe-old.ts';
import { deletion, deletionsOfWhatIsThere } from './credential.ts';

const RETRY_MS = 60_000;

/**
 * Fetches the cut-over reading, which the meter took by itself at the instant and its card sealed for both
 * suppliers. A card that refused left the old supplier in place: there is nothing to wait for then.
 */
export async function fetchCutOverRecords(context: StepContext): Promise<number | undefined> {
  const { meter, endpoint, evidence, order } = context;
  const { comes, goes } = partsOf(order);
  const records = await meter.instantRecords(endpoint, [
    ...(goes === undefined ? [] : ['closing' as const]),
    ...(comes === undefined ? [] : ['opening' as const]),
  ]);
  if (records === undefined) {
    if (context.now() > deadlineIn(order.market, order.cutOverAt)) {
      throw provisioningError('SWITCH_METER_REFUSED', `${endpoint} has taken no cut-over reading`);
    }
    return context.now() + RETRY_MS;
  }
  evidence.cutOver = {
    closingRecord: records.closing === undefined ? '' : sha256Hex(records.closing),
    openingRecord: records.opening === undefined ? '' : sha256Hex(records.opening),
    takenAt: context.now(),
  };
  return undefined;
}

/** Hands the metering applet over to the new supplier's domain, allowed by the issuer's token. */
export async function extraditeApplet(context: StepContext): Promise<void> {
  const { order, old, fresh, inDoubt } = context;
  const records = await context.recordsOf(order.from);
  const session = await context.openTsm();
  if (inDoubt && (await findEntry(session, records))?.securityDomain === fresh.domain)
    return context.accountForLostReceipts(await readConfirmationCounter(session));
  const allowed = await context.tokens.extradite(records, fresh.domain);
  const done: ReceiptContext = {
    kind: 'extradition',
    from: aidBytes(old.domain),
    application: aidBytes(records),
    to: aidBytes(fresh.domain),
  };
  const line = await context.delegated(allowed, done, (sw) => refused('INSTALL [for extradition]', sw));
  await runScript(session, [line]);
}

/** Deletes the old supplier's domain with all of its keys, and an applet that nobody takes over. */
export async function removeOldDomain(context: StepContext): Promise<void> {
  const { order, old, evidence, inDoubt } = context;
  // What is handed over goes on for the next one; what is not, goes with its owner.
  const applets = order.verb === 'remove' ? [await context.recordsOf(order.from)] : [];
  const objects = [...applets, old.credential, old.domain];
  const goOnAsBefore = await keepOldSession(context);
  const session = await context.openTsm();
  if (context.receiptCounter === undefined)
    await context.countReceiptsFrom(await readConfirmationCounter(session));
  if (inDoubt) context.accountForLostReceipts(await readConfirmationCounter(session));
  const deletions = inDoubt
    ? await deletionsOfWhatIsThere(context, session, objects)
    : await Promise.all(objects.map((object) => deletion(context, object)));
  const isGone = lookFor(old.domain, (entry) => {
    if (entry !== undefined) throw refused('DELETE of the old domain', STATUS_WORD.OK);
  });
  await runScript(session, [...deletions, isGone]);
  evidence.keyStates.push({ domain: old.domain, when: 'after-removal', keys: [] });
  await goOnAsBefore?.();
}

/** The books: whose domain the meter has now. */
export async function closeBooks(context: StepContext): Promise<void> {
  const { store, endpoint, order, old } = context;
  if (partsOf(order).goes !== undefined) await store.removeDomain(endpoint, old.domain);
  await forgetActivation(context);
}

function refused(what: string, sw: number): Error {
  return provisioningError('PROVISIONING_CARD_REFUSED', `${what}: ${sw.toString(16)}`, { context: { sw } });
}
