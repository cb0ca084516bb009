import { cutOverOrderOf, forgetActivation } from '../cut-over-staging.ts';
import { runScript } from '../card-script.ts';
import { readConfirmationCounter } from '../meter-card.ts';
import type { StepContext } from '../step-context.ts';
import { deletionsOfWhatIsThere } from './credential.ts';
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
    if ((await meter.unschedule(endpoint, await cutOverOrderOf(context))) === 'taken') return 'taken';
    const session = await context.openTsm();
    const counted = await readConfirmationCounter(session);
    await context.countReceiptsFrom(counted);
    context.accountForLostReceipts(counted);
    const there = await deletionsOfWhatIsThere(context, session, [fresh.credential, fresh.domain]);
    await runScript(session, there);
    evidence.keyStates.push({ domain: fresh.domain, when: 'after-removal', keys: [] });
  }
  await store.removeDomain(endpoint, fresh.domain);
  await custody.vault(order.to).forget(agreementName(context));
  await forgetActivation(context);
  return 'taken-back';
}
