import { isSefleetError } from '@sefleet/errors';
import {
  aidBytes,
  getStatusCommand,
  installForPersonalizationCommand,
  STATUS_SCOPE,
  STATUS_WORD,
  type SecureChannelSession,
  type StaticKeys,
} from '@sefleet/globalplatform';
import { ISSUER_SECURITY_DOMAIN } from '@sefleet/secure-element';
import { FIRST_GENERATION, keyVersionOf } from '../../domain/key-versions.ts';
import { TRUSTED_SERVICE_MANAGER, type PartyId } from '../../domain/party.ts';
import { provisioningError } from '../../errors.ts';
import { tryCryptogram, trySelect } from '../../rotation/old-key-probe.ts';
import type { StepContext } from '../step-context.ts';
import { noteBeside } from './look-beside.ts';

/**
 * Everybody tries what they have: the old supplier its domain, and its keys on the new one; issuer and
 * trusted service manager to get at the new domain with theirs. All has to be refused.
 */
export async function probeAsOldSupplier(context: StepContext): Promise<void> {
  const { order, old, fresh, card, rng, plan } = context;
  const channel = card.channelOf('from');
  const domainAid = aidBytes(fresh.domain);
  // Of a removal it is the domain of the one who stays.
  const target = order.verb === 'remove' ? 'personalise-other-domain' : 'personalise-new-domain';
  if (order.verb === 'remove') await noteBeside(context, 'beside-after');
  noteProbe(context, order.from, 'select-old-domain', await trySelect(channel, aidBytes(old.domain)));
  const held = await oldKeys(context);
  if (held !== undefined) {
    const { keys, keyVersion } = held;
    const sw = await tryCryptogram({ channel, domainAid, keys, keyVersion, rng });
    noteProbe(context, order.from, 'old-key-cryptogram', sw);
  }
  const tsm = await context.openTsm();
  noteProbe(context, TRUSTED_SERVICE_MANAGER, target, await tryPersonalise(tsm, domainAid));
  const issuer = await openIssuer(context);
  noteProbe(context, plan.issuer, target, await tryPersonalise(issuer, domainAid));
}

/**
 * Before the instant the new supplier tries its own keys on the domain that the meter still belongs to. It
 * has to be refused.
 */
export async function probeAsNewSupplier(context: StepContext): Promise<void> {
  const { order, old, card, custody, device, rng } = context;
  const keys = await custody.vault(order.to).diversify('domain', FIRST_GENERATION, device.diversification);
  const sw = await tryCryptogram({
    channel: card.channelOf('to'),
    domainAid: aidBytes(old.domain),
    keys,
    keyVersion: keyVersionOf(FIRST_GENERATION),
    rng,
  });
  noteProbe(context, order.to, 'old-domain-before-instant', sw);
}

/**
 * The old supplier opens a session with its domain and keeps it; undefined when there is no domain any more,
 * or its supplier takes no part.
 *
 * @returns Goes on in that session, as if nothing had happened since, and notes how that was answered.
 */
export async function keepOldSession(context: StepContext): Promise<(() => Promise<void>) | undefined> {
  const { order, old, card } = context;
  const held = await oldKeys(context);
  if (held === undefined) return undefined;
  const session = await tryOpen(async () => {
    const opened = await card.open('from', old.domain, held.keys, held.keyVersion);
    // It works in its domain, as ever.
    await opened.transmit(getStatusCommand(STATUS_SCOPE.APPLICATIONS));
    return opened;
  });
  if (session === undefined) return undefined;
  return async () => {
    const { sw } = await session.transmit(getStatusCommand(STATUS_SCOPE.APPLICATIONS));
    noteProbe(context, order.from, 'session-from-before', sw);
  };
}

/** What the old supplier's vault has for this card; a supplier that has failed may not open it. */
async function oldKeys({ order, old, custody, device, store, endpoint }: StepContext) {
  const state = (await store.domains(endpoint)).find(({ domain }) => domain === old.domain);
  const generation = state?.generation ?? FIRST_GENERATION;
  try {
    const vault = custody.vault(order.from);
    const keys: StaticKeys = await vault.diversify('domain', generation, device.diversification);
    return { keys, keyVersion: keyVersionOf(generation) };
  } catch (error) {
    if (order.verb === 'forced-switch' && isSefleetError(error)) return undefined;
    throw error;
  }
}

/** A session of the issuer with its own domain. */
export function openIssuer({ card, custody, plan, device }: StepContext): Promise<SecureChannelSession> {
  const keys = custody
    .vault(plan.issuer)
    .diversify('issuer-domain', FIRST_GENERATION, device.diversification);
  return keys.then((own) => card.open('issuer', ISSUER_SECURITY_DOMAIN, own, keyVersionOf(FIRST_GENERATION)));
}

/** The status word of a try to write into a domain that belongs to somebody. */
export async function tryPersonalise(session: SecureChannelSession, domain: Uint8Array): Promise<number> {
  const { sw } = await session.transmit(installForPersonalizationCommand(domain));
  return sw;
}

async function tryOpen(open: () => Promise<SecureChannelSession>): Promise<SecureChannelSession | undefined> {
  try {
    return await open();
  } catch (error) {
    if (isSefleetError(error, 'PROVISIONING_CARD_REFUSED') || isSefleetError(error, 'GP_STATUS_WORD'))
      return undefined;
    throw error;
  }
}

/** Writes a try down. @throws SefleetError `PROVISIONING_OLD_KEY_ALIVE` when it was let in. */
export function noteProbe({ evidence, now }: StepContext, by: PartyId, attempt: string, sw: number): void {
  evidence.probes.push({ by, attempt, sw: sw.toString(16).padStart(4, '0'), at: now() });
  if (sw === STATUS_WORD.OK) throw provisioningError('PROVISIONING_OLD_KEY_ALIVE', `${attempt} was let in`);
}
