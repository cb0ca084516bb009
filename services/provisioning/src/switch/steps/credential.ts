import { aidBytes, type Aid, type SecureChannelSession } from '@sefleet/globalplatform';
import { IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE } from '@sefleet/secure-element';
import { provisioningError } from '../../errors.ts';
import type { ScriptLine } from '../card-script.ts';
import { findEntry } from '../meter-card.ts';
import type { StepContext } from '../step-context.ts';

/**
 * The trusted service manager makes the applet that will hold the key of the new supplier's account and hands
 * it over to that supplier's domain; the key itself it never sees.
 *
 * @param session where a look at the card can tell what is there already
 * @param refused what it means when the card refuses
 */
export function credentialLines(
  context: StepContext,
  session: SecureChannelSession,
  refused: (sw: number) => Error,
): Promise<readonly ScriptLine[]> {
  const code = { loadFile: IOT_SAFE_LOAD_FILE, module: IOT_SAFE_MODULE };
  return appletLines(context, session, { ...code, instance: context.fresh.credential }, refused);
}

/** Makes an applet and hands it over to the new stakeholder's domain; parameters as `credentialLines`. */
export async function appletLines(
  context: StepContext,
  session: SecureChannelSession,
  { loadFile: code, module, instance }: { loadFile: Aid; module: Aid; instance: Aid },
  refused: (sw: number) => Error,
): Promise<readonly ScriptLine[]> {
  const { fresh, plan, inDoubt, tokens } = context;
  const application = aidBytes(instance);
  const lines: ScriptLine[] = [];
  const found = inDoubt ? await findEntry(session, instance) : undefined;
  if (found?.securityDomain === fresh.domain) return lines;
  if (found === undefined) {
    const allowed = await tokens.installApplet(code, module, instance);
    const loadFile = aidBytes(code);
    lines.push(await context.delegated(allowed, { kind: 'install', loadFile, application }, refused));
  }
  const [from, to] = [aidBytes(plan.management.tsm), aidBytes(fresh.domain)];
  const handedOver = await tokens.extradite(instance, fresh.domain);
  lines.push(await context.delegated(handedOver, { kind: 'extradition', from, application, to }, refused));
  return lines;
}

/** The command that deletes an application or domain, allowed by the issuer's token. */
export async function deletion(context: StepContext, object: Aid): Promise<ScriptLine> {
  const allowed = await context.tokens.remove(object);
  return context.delegated(allowed, { kind: 'delete', object: aidBytes(object) }, (sw) =>
    provisioningError('PROVISIONING_CARD_REFUSED', `DELETE of ${object}: ${sw.toString(16)}`, {
      context: { sw },
    }),
  );
}

/** The commands that delete what is there of applications and domains. */
export async function deletionsOfWhatIsThere(
  context: StepContext,
  session: SecureChannelSession,
  objects: readonly Aid[],
): Promise<readonly ScriptLine[]> {
  const lines: ScriptLine[] = [];
  for (const object of objects)
    if ((await findEntry(session, object)) !== undefined) lines.push(await deletion(context, object));
  return lines;
}
