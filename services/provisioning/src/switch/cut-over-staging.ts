import { cutOverOrder } from '@sefleet/secure-element';
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

/** What the meter hands to its card together with the reading of the instant. */
export async function cutOverOrderOf(context: StepContext): Promise<Uint8Array> {
  return cutOverOrder(context.fresh.domain, await activationOf(context));
}

/** The cut-over is over, or will not be. */
export async function forgetActivation(context: StepContext): Promise<void> {
  await context.custody.vault(context.order.to).forget(nameOf(context));
}

function nameOf({ order, endpoint }: StepContext): string {
  return `cut-over ${order.switchId} ${endpoint}`;
}
