import type { SwitchStep } from '../../domain/switch/switch-state.ts';
import type { StepContext } from '../step-context.ts';
import { closeBooks, extraditeApplet, fetchCutOverRecords, removeOldDomain } from './cut-over.ts';
import { closeAccount, confirmRecords, openAccount } from './accounts.ts';
import { lookBeside } from './look-beside.ts';
import { probeBeside } from './probe-beside.ts';
import { lookUp, takeMandate, verifyCard } from './notify.ts';
import { takeOwnerMandate } from './owner-mandate.ts';
import { probeAsOldSupplier } from './probe-old.ts';
import { installApplet, scheduleCutOver, stageOwnAccount, stageRecordKey } from './stage-cut-over.ts';
import { agreeOnKeys, installFreshDomain, takePossession } from './stage.ts';

/** What each step does. A number says until when to wait before it is tried again: it has not failed. */
export const STEP_ACTIONS: Readonly<
  Record<SwitchStep, (context: StepContext) => Promise<number | undefined | void>>
> = {
  mandate: takeMandate,
  'owner-mandate': takeOwnerMandate,
  'look-up': lookUp,
  'card-certificate': verifyCard,
  'look-beside': lookBeside,
  'install-domain': installFreshDomain,
  'agree-keys': agreeOnKeys,
  'own-keys': takePossession,
  'install-applet': installApplet,
  'record-key': stageRecordKey,
  'own-account': stageOwnAccount,
  schedule: scheduleCutOver,
  'cut-over-read': fetchCutOverRecords,
  extradite: extraditeApplet,
  'open-account': openAccount,
  'first-record': confirmRecords,
  'close-account': closeAccount,
  'remove-old': removeOldDomain,
  'probe-old': probeAsOldSupplier,
  'probe-beside': probeBeside,
  close: closeBooks,
};
