import { rehearsalVerb } from './rehearsal-verb.ts';

export const rehearseInsurerChange = rehearsalVerb({
  name: 'rehearse insurer-change',
  summary:
    'add an insurer to vehicles, remove one, or move them to another; the manufacturer never reads their records',
  story: 'insurer-change',
  devices: 'obus',
  from: 'shield-insurance',
  to: 'beacon-insurance',
  third: 'shield-insurance',
  verbs: [
    'switch',
    'add',
    'remove',
    'add-and-remove',
    'cancel',
    'object',
    'erroneous-transfer',
    'back-to-back',
  ],
  grounds: ['light', 'live'],
  examples: [
    'sefleet rehearse insurer-change --obus 50',
    'sefleet rehearse insurer-change --verb add --from shield-insurance --to beacon-insurance',
    'sefleet rehearse insurer-change --verb remove',
    'sefleet rehearse insurer-change --verb back-to-back',
  ],
});
