import { aidBytes, STATUS_WORD } from '@sefleet/globalplatform';
import { provisioningError } from '../../errors.ts';
import { findEntry } from '../meter-card.ts';
import type { StepContext } from '../step-context.ts';
import { agreementName } from './stage.ts';

/**
 * Takes a switch back: no instant any more, no domain and no key of the new supplier. The old supplier
 * notices nothing.
 *
 * @param staged Whether anything can be on the card yet.
 * @returns `taken` when the cut-over reading was taken meanwhile: then the switch has to go on.
 */
export async function takeBack(context: StepContext, staged: boolean): Promise<'taken-back' | 'taken'> {
  const { meter, endpoint, fresh, evidence, store, custody, order } = context;
  if (staged) {
    if ((await meter.unschedule(endpoint)) === 'taken') return 'taken';
    const session = await context.openTsm();
    await context.countReceipts(session);
    if ((await findEntry(session, fresh.domain)) !== undefined) {
      await context.accountForLostReceipts(session);
      const allowed = await context.tokens.deleteDomain(fresh.domain);
      const sw = await context.delegate(session, allowed, { kind: 'delete', object: aidBytes(fresh.domain) });
      if (sw !== STATUS_WORD.OK) {
        throw provisioningError('PROVISIONING_CARD_REFUSED', `DELETE: ${sw.toString(16)}`, {
          context: { sw },
        });
      }
    } else await context.accountForLostReceipts(session);
    evidence.keyStates.push({ domain: fresh.domain, when: 'after-removal', keys: [] });
  }
  await store.removeDomain(endpoint, fresh.domain);
  await custody.vault(order.to).forget(agreementName(context));
  return 'taken-back';
}
