import { recordAccountCommands } from '@sefleet/secure-element';
import { aidBytes, STATUS_WORD, type CommandApdu, type SecureChannelSession } from '@sefleet/globalplatform';
import { FIRST_GENERATION, keyVersionOf } from '../../domain/key-versions.ts';
import { MEASURING_APPLETS, ownerCommands, stagedParameters } from '../../domain/measuring-plan.ts';
import { partsOf } from '../../domain/switch/switch-order.ts';
import { provisioningError } from '../../errors.ts';
import { FIRST_RECORD_KEY_VERSION } from '../../manufacture/first-keys.ts';
import { activationOf, meterOrderOf } from '../cut-over-staging.ts';
import { mustSucceed, runScript } from '../card-script.ts';
import { readConfirmationCounter } from '../meter-card.ts';
import type { StepContext } from '../step-context.ts';
import { appletLines } from './credential.ts';
import { probeAsNewSupplier } from './probe-old.ts';

/**
 * The new supplier puts its record key into its own domain, end to end, and grants it to the metering applet
 * for the instant: that applet still belongs to the old supplier.
 */
export async function stageRecordKey(context: StepContext): Promise<void> {
  const { order, custody, device, endpoint } = context;
  const vault = custody.vault(order.to);
  await vault.ensureMaster('record', FIRST_RECORD_KEY_VERSION);
  const session = await openFresh(context);
  const commands = recordAccountCommands(session, {
    stakeholder: order.to,
    keyVersion: FIRST_RECORD_KEY_VERSION,
    endpoint,
    recordKey: await vault.recordKey(FIRST_RECORD_KEY_VERSION, endpoint),
    grant: {
      application: await context.recordsOf(order.from),
      instantMs: order.cutOverAt,
      activation: await activationOf(context),
      parameters: stagedParameters(device.kind),
    },
  });
  await storeAccount(session, commands);
}

/** The trusted service manager makes the applet that will read for the newcomer, and hands it over to it. */
export async function installApplet(context: StepContext): Promise<void> {
  const { order, device } = context;
  const session = await context.openTsm();
  if (context.inDoubt) context.accountForLostReceipts(await readConfirmationCounter(session));
  const code = MEASURING_APPLETS[device.kind];
  const instance = await context.recordsOf(order.to);
  await runScript(session, await appletLines(context, session, { ...code, instance }, noApplet));
}

/**
 * The newcomer puts its record key into its own domain, for its own applet, with that one's settings. Nothing
 * of it concerns anybody else's. Its records are numbered from the instant on: should it have been on this
 * card before, under the same key, no number comes twice.
 */
export async function stageOwnAccount(context: StepContext): Promise<void> {
  const { order, custody, device, endpoint } = context;
  const vault = custody.vault(order.to);
  await vault.ensureMaster('record', FIRST_RECORD_KEY_VERSION);
  const session = await openFresh(context);
  const account = recordAccountCommands(session, {
    stakeholder: order.to,
    keyVersion: FIRST_RECORD_KEY_VERSION,
    endpoint,
    recordKey: await vault.recordKey(FIRST_RECORD_KEY_VERSION, endpoint),
    sequenceFloor: order.cutOverAt,
  });
  const settings = ownerCommands(device.kind, aidBytes(await context.recordsOf(order.to)));
  await storeAccount(session, [...account, ...settings]);
}

async function openFresh({
  order,
  custody,
  device,
  card,
  fresh,
}: StepContext): Promise<SecureChannelSession> {
  const vault = custody.vault(order.to);
  const keys = await vault.diversify('domain', FIRST_GENERATION, device.diversification);
  return card.open('to', fresh.domain, keys, keyVersionOf(FIRST_GENERATION));
}

async function storeAccount(session: SecureChannelSession, commands: readonly CommandApdu[]): Promise<void> {
  await runScript(
    session,
    commands.map((command) => mustSucceed(command, refused)),
  );
}

/** Has the meter note the instant, and what it does then. */
export async function scheduleCutOver(context: StepContext): Promise<void> {
  const { meter, endpoint, order } = context;
  if (partsOf(order).comes !== undefined) await probeAsNewSupplier(context);
  await meter.schedule(endpoint, order.cutOverAt, await meterOrderOf(context));
}

function refused(sw: number): Error {
  if (sw === STATUS_WORD.NOT_ENOUGH_MEMORY)
    return provisioningError('SWITCH_CARD_FULL', 'the card has no room for the record key');
  return provisioningError('PROVISIONING_CARD_REFUSED', `the record key: ${sw.toString(16)}`, {
    context: { sw },
  });
}

function noApplet(sw: number): Error {
  if (sw === STATUS_WORD.NOT_ENOUGH_MEMORY)
    return provisioningError('SWITCH_CARD_FULL', 'the card has no room for another applet');
  return provisioningError('PROVISIONING_CARD_REFUSED', `the applet: ${sw.toString(16)}`, {
    context: { sw },
  });
}
