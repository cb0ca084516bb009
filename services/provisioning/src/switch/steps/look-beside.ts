import type { StepContext } from '../step-context.ts';

/**
 * Which keys the domain of the one has who is not concerned, before anything happens. The card tells that to
 * everybody: neither its owner nor its keys are needed, and nobody has to tell it who comes or goes.
 */
export async function lookBeside(context: StepContext): Promise<void> {
  await noteBeside(context, 'beside-before');
}

/** Notes which keys the domain of the one holds who is not concerned. */
export async function noteBeside(
  { card, evidence, order, old, fresh }: StepContext,
  when: 'beside-before' | 'beside-after',
): Promise<void> {
  const { domain } = order.verb === 'add' ? old : fresh;
  const keys = await card.readKeys('tsm', domain);
  // A step that is done again tells once what is there.
  evidence.keyStates = [...evidence.keyStates.filter((state) => state.when !== when), { domain, when, keys }];
}
