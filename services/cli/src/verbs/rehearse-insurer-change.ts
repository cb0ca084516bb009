import { rehearsalVerb } from './rehearsal-verb.ts';

export const rehearseInsurerChange = rehearsalVerb({
  name: 'rehearse insurer-change',
  summary:
    "move vehicles to another insurer on their owners' word; the manufacturer never reads their records",
  story: 'insurer-change',
  devices: 'obus',
  from: 'shield-insurance',
  to: 'beacon-insurance',
  third: 'shield-insurance',
  verbs: ['switch', 'cancel', 'object', 'erroneous-transfer', 'back-to-back'],
  grounds: ['light'],
  examples: [
    'sefleet rehearse insurer-change --obus 50',
    'sefleet rehearse insurer-change --verb back-to-back',
  ],
});
