import { aidBytes, STATUS_WORD, type Aid, type SecureChannelSession } from '@sefleet/globalplatform';
import { IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE } from '@sefleet/secure-element';
import { provisioningError } from '../../errors.ts';
import { findEntry } from '../meter-card.ts';
import type { StepContext } from '../step-context.ts';

/**
 * The trusted service manager makes the applet that will hold the key of the new supplier's account and hands
 * it over to that supplier's domain; the key itself it never sees.
 *
 * @returns the status word of what the card refused, or 9000
 */
export async function installCredential(
  context: StepContext,
  session: SecureChannelSession,
): Promise<number> {
  const { fresh, plan, inDoubt } = context;
  const { credential } = fresh;
  const found = inDoubt ? await findEntry(session, credential) : undefined;
  if (found === undefined) {
    const allowed = await context.tokens.installApplet(IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE, credential);
    const loadFile = aidBytes(IOT_SAFE_LOAD_FILE);
    const application = aidBytes(credential);
    const sw = await context.delegate(session, allowed, { kind: 'install', loadFile, application });
    if (sw !== STATUS_WORD.OK) return sw;
  }
  if (found?.securityDomain === fresh.domain) return STATUS_WORD.OK;
  return context.delegate(session, await context.tokens.extradite(credential, fresh.domain), {
    kind: 'extradition',
    from: aidBytes(plan.management.tsm),
    application: aidBytes(credential),
    to: aidBytes(fresh.domain),
  });
}

/** Deletes whatever is there of an application or domain, allowed by the issuer's token. */
export async function removeFromCard(
  context: StepContext,
  session: SecureChannelSession,
  object: Aid,
): Promise<void> {
  if ((await findEntry(session, object)) === undefined) return;
  const allowed = await context.tokens.remove(object);
  const sw = await context.delegate(session, allowed, { kind: 'delete', object: aidBytes(object) });
  if (sw === STATUS_WORD.OK) return;
  throw provisioningError('PROVISIONING_CARD_REFUSED', `DELETE of ${object}: ${sw.toString(16)}`, {
    context: { sw },
  });
}
