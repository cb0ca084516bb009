import { recordAccountCommands } from '@sefleet/secure-element';
import { STATUS_WORD } from '@sefleet/globalplatform';
import { FIRST_GENERATION, keyVersionOf } from '../../domain/key-versions.ts';
import { stagedParameters } from '../../domain/measuring-plan.ts';
import { provisioningError } from '../../errors.ts';
import { FIRST_RECORD_KEY_VERSION } from '../../manufacture/first-keys.ts';
import { activationOf, cutOverOrderOf } from '../cut-over-staging.ts';
import { mustSucceed, runScript } from '../card-script.ts';
import type { StepContext } from '../step-context.ts';
import { probeAsNewSupplier } from './probe-old.ts';

/**
 * The new supplier puts its record key into its own domain, end to end, and grants it to the metering applet
 * for the instant: that applet still belongs to the old supplier.
 */
export async function stageRecordKey(context: StepContext): Promise<void> {
  const { order, custody, device, card, fresh, records, endpoint } = context;
  const vault = custody.vault(order.to);
  await vault.ensureMaster('record', FIRST_RECORD_KEY_VERSION);
  const keys = await vault.diversify('domain', FIRST_GENERATION, device.diversification);
  const session = await card.open('to', fresh.domain, keys, keyVersionOf(FIRST_GENERATION));
  const commands = recordAccountCommands(session, {
    stakeholder: order.to,
    keyVersion: FIRST_RECORD_KEY_VERSION,
    endpoint,
    recordKey: await vault.recordKey(FIRST_RECORD_KEY_VERSION, endpoint),
    grant: {
      application: records,
      instantMs: order.cutOverAt,
      activation: await activationOf(context),
      parameters: stagedParameters(device.kind),
    },
  });
  await runScript(
    session,
    commands.map((command) => mustSucceed(command, refused)),
  );
}

/** Has the meter note the instant, and what it hands to its card then. */
export async function scheduleCutOver(context: StepContext): Promise<void> {
  const { meter, endpoint, order } = context;
  await probeAsNewSupplier(context);
  await meter.schedule(endpoint, order.cutOverAt, await cutOverOrderOf(context));
}

function refused(sw: number): Error {
  if (sw === STATUS_WORD.NOT_ENOUGH_MEMORY)
    return provisioningError('SWITCH_CARD_FULL', 'the card has no room for the record key');
  return provisioningError('PROVISIONING_CARD_REFUSED', `the record key: ${sw.toString(16)}`, {
    context: { sw },
  });
}
