import { cutOverOrder, readerOrder } from '@sefleet/secure-element';
import { partsOf } from '../domain/switch/switch-order.ts';
import type { StepContext } from './step-context.ts';

const ACTIVATION_BYTES = 16;

/**
 * The secret by which the new supplier lets the cut-over of one meter in one switch happen. Its vault keeps
 * it, so that a step that is done again after a crash finds the same.
 */
export async function activationOf(context: StepContext): Promise<Uint8Array> {
  const vault = context.custody.vault(context.order.to);
  const known = await vault.recall(nameOf(context));
  if (known !== undefined) return known;
  const activation = context.rng.bytes(ACTIVATION_BYTES);
  await vault.keep(nameOf(context), activation);
  return activation;
}

/**
 * What the meter does at the instant: it hands its card the reading with an order to seal it for both, or
 * begins or ends to read by somebody's applet.
 */
export async function meterOrderOf(context: StepContext): Promise<Uint8Array> {
  const { order, fresh } = context;
  const activation = await activationOf(context);
  const { comes, goes } = partsOf(order);
  if (comes !== undefined && goes !== undefined) return cutOverOrder(fresh.domain, activation);
  const application = await context.recordsOf(comes ?? goes ?? order.to);
  return readerOrder(comes === undefined ? 'end' : 'begin', application, activation);
}

/** The cut-over is over, or will not be. */
export async function forgetActivation(context: StepContext): Promise<void> {
  await context.custody.vault(context.order.to).forget(nameOf(context));
}

function nameOf({ order, endpoint }: StepContext): string {
  return `cut-over ${order.switchId} ${endpoint}`;
}
