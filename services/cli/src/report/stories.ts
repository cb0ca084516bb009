import type { RehearsalStory } from '../rehearsal/rehearsal-plan.ts';

/** How a story is told: what it is about, and in which unit its registers count. */
export const STORIES: Readonly<
  Record<RehearsalStory, { readonly title: string; readonly devices: string; readonly unit: string }>
> = {
  'supplier-switch': { title: 'Supplier switch', devices: 'meters', unit: 'Wh' },
  'insurer-change': { title: 'Change of insurer', devices: 'vehicles', unit: 'm' },
  'provider-change': { title: 'Change of healthcare provider', devices: 'kits', unit: 'measurements' },
};
