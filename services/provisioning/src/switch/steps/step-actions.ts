import type { SwitchStep } from '../../domain/switch/switch-state.ts';
import type { StepContext } from '../step-context.ts';
import {
  closeBooks,
  extraditeApplet,
  fetchClosingRecord,
  openAccount,
  probeAsOldSupplier,
  putRecordKey,
  removeOldDomain,
} from './cut-over.ts';
import { takeMandate, verifyCard } from './notify.ts';
import { agreeOnKeys, installFreshDomain, scheduleCutOver, takePossession } from './stage.ts';

/** What each step does. A number says until when to wait before it is tried again: it has not failed. */
export const STEP_ACTIONS: Readonly<
  Record<SwitchStep, (context: StepContext) => Promise<number | undefined | void>>
> = {
  mandate: takeMandate,
  'card-certificate': verifyCard,
  'install-domain': installFreshDomain,
  'agree-keys': agreeOnKeys,
  'own-keys': takePossession,
  schedule: scheduleCutOver,
  'cut-over-read': fetchClosingRecord,
  extradite: extraditeApplet,
  'record-key': putRecordKey,
  'open-account': openAccount,
  'remove-old': removeOldDomain,
  'probe-old': probeAsOldSupplier,
  close: closeBooks,
};
