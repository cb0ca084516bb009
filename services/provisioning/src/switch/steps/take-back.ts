import { partsOf } from '../../domain/switch/switch-order.ts';
import { forgetActivation, meterOrderOf } from '../cut-over-staging.ts';
import { runScript } from '../card-script.ts';
import { readConfirmationCounter } from '../meter-card.ts';
import type { StepContext } from '../step-context.ts';
import { deletionsOfWhatIsThere } from './credential.ts';
import { agreementName } from './stage.ts';

/**
 * Takes a switch back: no instant any more, no domain and no key of the new supplier. The old supplier
 * notices nothing.
 *
 * @param staged Whether anything can be on the card yet, and whether the meter can know the instant.
 * @returns `taken` when the cut-over reading was taken meanwhile: then the switch has to go on.
 */
export async function takeBack(
  context: StepContext,
  staged: { readonly onCard: boolean; readonly inMeter: boolean },
): Promise<'taken-back' | 'taken'> {
  const { meter, endpoint, fresh, evidence, store, custody, order } = context;
  if (staged.inMeter) {
    if ((await meter.unschedule(endpoint, await meterOrderOf(context))) === 'taken') return 'taken';
  }
  if (staged.onCard) {
    const session = await context.openTsm();
    const counted = await readConfirmationCounter(session);
    await context.countReceiptsFrom(counted);
    context.accountForLostReceipts(counted);
    const applets = order.verb === 'add' ? await ownApplets(context) : [];
    const objects = [...applets, fresh.credential, fresh.domain];
    await runScript(session, await deletionsOfWhatIsThere(context, session, objects));
    evidence.keyStates.push({ domain: fresh.domain, when: 'after-removal', keys: [] });
  }
  // Who stays on a removal keeps everything.
  if (partsOf(order).comes !== undefined) {
    await store.removeDomain(endpoint, fresh.domain);
    await custody.vault(order.to).forget(agreementName(context));
  }
  await forgetActivation(context);
  return 'taken-back';
}

/** The applet that was made for the newcomer; none before its domain has an owner. */
async function ownApplets({ store, endpoint, fresh }: StepContext) {
  const states = await store.domains(endpoint);
  return states.flatMap(({ domain, records }) => (domain === fresh.domain ? (records ?? []) : []));
}
