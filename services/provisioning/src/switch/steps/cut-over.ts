import { sha256Hex } from '@sefleet/evidence';
import { aidBytes, STATUS_WORD } from '@sefleet/globalplatform';
import { recordsPersonalisationCommands } from '@sefleet/secure-element';
import { FIRST_GENERATION, keyVersionOf } from '../../domain/key-versions.ts';
import { pskIdentity } from '../../domain/psk-identity.ts';
import { provisioningError } from '../../errors.ts';
import { FIRST_RECORD_KEY_VERSION } from '../../manufacture/first-keys.ts';
import { tryCryptogram, trySelect } from '../../rotation/old-key-probe.ts';
import { findEntry } from '../meter-card.ts';
import type { StepContext } from '../step-context.ts';
import { removeFromCard } from './credential.ts';

const RETRY_MS = 60_000;

/** Fetches the sealed cut-over reading, which the meter took by itself at the instant. */
export async function fetchClosingRecord(context: StepContext): Promise<number | undefined> {
  const { meter, endpoint, evidence } = context;
  const record = await meter.closingRecord(endpoint);
  if (record === undefined) return context.now() + RETRY_MS;
  evidence.cutOver = { closingRecord: sha256Hex(record), openingRecord: '', takenAt: context.now() };
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

/** The new supplier gives the applet its own record key, end to end. */
export async function putRecordKey(context: StepContext): Promise<void> {
  const { order, custody, device, card, fresh, records, endpoint } = context;
  const vault = custody.vault(order.to);
  await vault.ensureMaster('record', FIRST_RECORD_KEY_VERSION);
  const keys = await vault.diversify('domain', FIRST_GENERATION, device.diversification);
  const session = await card.open('to', fresh.domain, keys, keyVersionOf(FIRST_GENERATION));
  const commands = recordsPersonalisationCommands(session, aidBytes(records), {
    stakeholder: order.to,
    keyVersion: FIRST_RECORD_KEY_VERSION,
    endpoint,
    recordKey: await vault.recordKey(FIRST_RECORD_KEY_VERSION, endpoint),
  });
  for (const command of commands) {
    const { sw } = await session.transmit(command);
    if (sw !== STATUS_WORD.OK) throw refused('the record key', sw);
  }
}

/** Has the meter go on for the new supplier, and gives it an account on that supplier's server. */
export async function openAccount({ meter, endpoint, order, evidence }: StepContext): Promise<void> {
  const opening = await meter.resume(endpoint);
  const { closingRecord = '', takenAt = 0 } = evidence.cutOver ?? {};
  evidence.cutOver = { closingRecord, openingRecord: sha256Hex(opening), takenAt };
  await meter.openAccount(endpoint, `coaps://${order.to}.example:5684`, pskIdentity(endpoint, 'management'));
}

/** Deletes the old supplier's domain with all of its keys. */
export async function removeOldDomain(context: StepContext): Promise<void> {
  const { old, evidence, inDoubt } = context;
  const session = await context.openTsm();
  if (inDoubt) await context.accountForLostReceipts(session);
  for (const object of [old.credential, old.domain]) await removeFromCard(context, session, object);
  if ((await findEntry(session, old.domain)) !== undefined)
    throw refused('DELETE of the old domain', STATUS_WORD.OK);
  evidence.keyStates.push({ domain: old.domain, when: 'after-removal', keys: [] });
}

/**
 * The old supplier tries everything it has: its domain, and its keys on the new one. All has to be refused.
 */
export async function probeAsOldSupplier(context: StepContext): Promise<void> {
  const { old, fresh, card, custody, device, order, evidence, rng, store, endpoint } = context;
  const held = (await store.domains(endpoint)).find(({ domain }) => domain === old.domain);
  const generation = held?.generation ?? FIRST_GENERATION;
  const keys = await custody.vault(order.from).diversify('domain', generation, device.diversification);
  const channel = card.channelOf('from');
  const domainAid = aidBytes(fresh.domain);
  const tries = {
    'select-old-domain': await trySelect(channel, aidBytes(old.domain)),
    'old-key-cryptogram': await tryCryptogram({
      channel,
      domainAid,
      keys,
      keyVersion: keyVersionOf(generation),
      rng,
    }),
  };
  for (const [attempt, sw] of Object.entries(tries)) {
    evidence.probes.push({
      by: order.from,
      attempt,
      sw: sw.toString(16).padStart(4, '0'),
      at: context.now(),
    });
    if (sw === STATUS_WORD.OK) throw provisioningError('PROVISIONING_OLD_KEY_ALIVE', `${attempt} was let in`);
  }
}

/** The books: whose domain the meter has now. */
export async function closeBooks({ store, endpoint, old }: StepContext): Promise<void> {
  await store.removeDomain(endpoint, old.domain);
}

function refused(what: string, sw: number): Error {
  return provisioningError('PROVISIONING_CARD_REFUSED', `${what}: ${sw.toString(16)}`, { context: { sw } });
}
