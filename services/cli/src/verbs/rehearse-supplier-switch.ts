import { REHEARSAL_VERBS } from '../rehearsal/rehearsal-plan.ts';
import { rehearsalVerb } from './rehearsal-verb.ts';

export const rehearseSupplierSwitch = rehearsalVerb({
  name: 'rehearse supplier-switch',
  summary: 'move a cohort of meters to another supplier, keys and readings included, and prove what happened',
  story: 'supplier-switch',
  devices: 'meters',
  from: 'northern-power',
  to: 'sunrise-energy',
  third: 'harbour-light',
  verbs: REHEARSAL_VERBS,
  grounds: ['live', 'light'],
  examples: [
    'sefleet rehearse supplier-switch',
    'sefleet rehearse supplier-switch --meters 2000 --from northern-power --to sunrise-energy --at +2m --compress 60 \\\n    --faults offline=2%,lost-ack=1%,drift=3% --seed 11 --out report/ --json',
    'sefleet rehearse supplier-switch --ground light --verb forced-switch --meters 50',
  ],
});
