import { rehearsalVerb } from './rehearsal-verb.ts';

export const rehearseProviderChange = rehearsalVerb({
  name: 'rehearse provider-change',
  summary: 'lease medical kits to another healthcare provider; of the former one nothing is left on them',
  story: 'provider-change',
  devices: 'kits',
  from: 'valley-clinic',
  to: 'lakeside-hospital',
  third: 'valley-clinic',
  verbs: ['switch', 'cancel', 'object', 'erroneous-transfer', 'back-to-back'],
  grounds: ['light', 'live'],
  examples: ['sefleet rehearse provider-change --kits 50'],
});
