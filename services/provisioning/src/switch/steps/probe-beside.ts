import { aidBytes } from '@sefleet/globalplatform';
import { FIRST_GENERATION, keyVersionOf } from '../../domain/key-versions.ts';
import { TRUSTED_SERVICE_MANAGER } from '../../domain/party.ts';
import { tryCryptogram } from '../../rotation/old-key-probe.ts';
import type { StepContext } from '../step-context.ts';
import { noteBeside } from './look-beside.ts';
import { noteProbe, openIssuer, tryPersonalise } from './probe-old.ts';

/**
 * The newcomer is there: the other's domain is as it was, the newcomer's keys open nothing but its own, and
 * issuer and trusted service manager get at neither; of an OBU the issuer is who built it.
 */
export async function probeBeside(context: StepContext): Promise<void> {
  const { order, old, fresh, card, custody, device, rng, plan } = context;
  await noteBeside(context, 'beside-after');
  const keys = await custody.vault(order.to).diversify('domain', FIRST_GENERATION, device.diversification);
  const keyVersion = keyVersionOf(FIRST_GENERATION);
  const tried = { channel: card.channelOf('to'), domainAid: aidBytes(old.domain), keys, keyVersion, rng };
  noteProbe(context, order.to, 'own-key-on-other-domain', await tryCryptogram(tried));
  const newcomer = aidBytes(fresh.domain);
  const tsm = await context.openTsm();
  noteProbe(context, TRUSTED_SERVICE_MANAGER, 'personalise-new-domain', await tryPersonalise(tsm, newcomer));
  const issuer = await openIssuer(context);
  noteProbe(context, plan.issuer, 'personalise-new-domain', await tryPersonalise(issuer, newcomer));
}
