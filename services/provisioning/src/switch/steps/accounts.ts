import { decodeSealedRecord, openTelemetryRecord } from '@sefleet/cose';
import { sha256Hex, type AccountEvidence } from '@sefleet/evidence';
import { isSefleetError } from '@sefleet/errors';
import { partsOf } from '../../domain/switch/switch-order.ts';
import { provisioningError } from '../../errors.ts';
import type { StepContext } from '../step-context.ts';

/** In real time: how long a step watches a device that was asked to come. */
const WATCH_MS = 5000;
const FIRST_LOOK_MS = 20;
const COAP_CODE = /^\d\.\d\d$/;
const LONGEST_PAUSE_MS = 250;

/**
 * Gives the meter an account on the new supplier's own server: the bootstrap server writes it beside the old
 * one, and from here on the meter is registered with both.
 */
export async function openAccount(context: StepContext): Promise<void> {
  const { stakeholders, order, endpoint, store, meter, evidence } = context;
  const { to } = order;
  if (!stakeholders.hasServer(to)) return;
  await store.openAccount(endpoint, to);
  let registered = await stakeholders.registration(to, endpoint);
  if (registered === undefined) {
    await meter.rewriteAccounts(endpoint);
    registered = await watch(context, () => stakeholders.registration(to, endpoint));
  }
  if (registered === undefined) throw waiting(`the meter is not registered with ${to}`);
  const { id, registeredAt } = registered;
  note(evidence, { server: to, registration: id, registeredAt, goneAt: 0, refusal: '' });
}

/**
 * Where suppliers have servers of their own, the new one has to have the meter's first record there and to
 * open it with its key, and the old one to have its last.
 */
export async function confirmRecords(context: StepContext): Promise<void> {
  const { evidence, stakeholders, order } = context;
  const { closingRecord = '', openingRecord = '' } = evidence.cutOver ?? {};
  const { comes, goes } = partsOf(order);
  if (comes !== undefined && stakeholders.hasServer(comes)) {
    const opening = await watch(context, () => findRecord(context, order.to, openingRecord));
    if (opening === undefined) throw waiting(`${order.to} has not had the first record`);
    await requireReadable(context, opening);
  }
  // A supplier that has failed need not be there to have had its last record.
  if (order.verb === 'forced-switch' || goes === undefined || !stakeholders.hasServer(goes)) return;
  const closing = await watch(context, () => findRecord(context, goes, closingRecord));
  if (closing === undefined) throw waiting(`${order.from} has not had the last record`);
}

/**
 * Takes the meter's account on the old supplier's server away: the meter de-registers there, and what that
 * server asks of it afterwards reaches nobody.
 */
export async function closeAccount(context: StepContext): Promise<void> {
  const { stakeholders, order, endpoint, store, meter, evidence, wallNow } = context;
  const { from } = order;
  await store.closeAccount(endpoint, from);
  if (!stakeholders.hasServer(from)) return;
  const before = await stakeholders.registration(from, endpoint);
  if (before !== undefined) {
    const { id, registeredAt } = before;
    note(evidence, { server: from, registration: id, registeredAt, goneAt: 0, refusal: '' });
    await context.checkpoint();
    await meter.rewriteAccounts(endpoint);
    // A server that has lost its session with the meter is not told of its leaving, and keeps a registration
    // that leads nowhere: what counts is that it reaches the meter no more.
    await watch(context, async () =>
      (await stakeholders.registration(from, endpoint)) === undefined ? true : undefined,
    );
  }
  const goneAt = Math.round(wallNow());
  const refusal = await stakeholders.tryRead(from, endpoint);
  // Whatever the meter itself answers, it has been reached.
  if (COAP_CODE.test(refusal))
    throw provisioningError('PROVISIONING_OLD_KEY_ALIVE', `${from} still reaches the meter: ${refusal}`);
  const known = evidence.accounts.find(({ server }) => server === from);
  const account = known ?? { server: from, registration: '', registeredAt: 0 };
  note(evidence, { ...account, goneAt, refusal });
}

/** One entry a server: what was found out last. */
function note(evidence: StepContext['evidence'], account: AccountEvidence): void {
  evidence.accounts = [...evidence.accounts.filter(({ server }) => server !== account.server), account];
}

/** Looks again and again, for a while, until there is something. */
async function watch<T>(
  { pause, wallNow }: StepContext,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const until = wallNow() + WATCH_MS;
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const found = await look();
    if (found !== undefined || wallNow() >= until) return found;
    await pause(pauseMs);
  }
}

async function findRecord(
  { stakeholders, endpoint }: StepContext,
  party: StepContext['order']['to'],
  digest: string,
): Promise<Uint8Array | undefined> {
  const records = await stakeholders.records(party, endpoint);
  return records.findLast((record) => sha256Hex(record) === digest);
}

/** The new supplier opens its first record. @throws SefleetError `SWITCH_METER_REFUSED` */
async function requireReadable({ custody, order, endpoint }: StepContext, record: Uint8Array): Promise<void> {
  try {
    const sealed = decodeSealedRecord(record);
    const key = await custody.vault(order.to).recordKey(sealed.keyVersion, endpoint);
    openTelemetryRecord(sealed, key, endpoint);
  } catch (cause) {
    if (!isSefleetError(cause)) throw cause;
    throw provisioningError('SWITCH_METER_REFUSED', `${order.to} cannot open the meter's first record`, {
      cause,
    });
  }
}

/** What has not come yet may come: tried again until the switch's deadline. */
function waiting(message: string): Error {
  return provisioningError('PROVISIONING_LINK_UNAVAILABLE', message);
}
