import type { Verb } from '../command-line.ts';
import { demo } from './demo.ts';
import { deviceAdd } from './device-add.ts';
import { doctor } from './doctor.ts';
import { firmwareSign } from './firmware-sign.ts';
import { fleetShow, fleetStart, fleetStop } from './fleet.ts';
import {
  keysDestroy,
  keysHistory,
  keysList,
  keysRenew,
  keysResume,
  keysRevoke,
  keysSuspend,
} from './keys.ts';
import {
  partyAdd,
  partyCertificate,
  partyContract,
  partyList,
  partyRefusals,
  partyRoles,
} from './parties.ts';
import { rehearseChaos } from './rehearse-chaos.ts';
import { rehearseInsurerChange } from './rehearse-insurer-change.ts';
import { rehearseProviderChange } from './rehearse-provider-change.ts';
import { rehearseSupplierSwitch } from './rehearse-supplier-switch.ts';
import { reportVerify } from './report-verify.ts';
import { revokeDevice, revokeList, revokeParty } from './revoke.ts';
import { seApdu } from './se-apdu.ts';
import { seAttach } from './se-attach.ts';
import { seExport } from './se-export.ts';
import { seImport } from './se-import.ts';
import { seList } from './se-list.ts';
import { seRacs } from './se-racs.ts';
import { seShow } from './se-show.ts';
import { seTrace } from './se-trace.ts';
import { switchCancel, switchObject, switchPause, switchResume } from './switch-control.ts';
import { switchEvidence, switchList, switchShow } from './switch-show.ts';
import { switchStart } from './switch-start.ts';
import { up } from './up.ts';

/** Every verb, in the order of the help. */
export const VERBS: readonly Verb[] = [
  up,
  demo,
  fleetStart,
  fleetShow,
  fleetStop,
  deviceAdd,
  firmwareSign,
  seList,
  seShow,
  seApdu,
  seTrace,
  seExport,
  seImport,
  seRacs,
  seAttach,
  keysList,
  keysHistory,
  keysSuspend,
  keysResume,
  keysRevoke,
  keysRenew,
  keysDestroy,
  partyList,
  partyAdd,
  partyCertificate,
  partyRoles,
  partyContract,
  partyRefusals,
  revokeDevice,
  revokeParty,
  revokeList,
  switchStart,
  switchList,
  switchShow,
  switchPause,
  switchResume,
  switchCancel,
  switchObject,
  switchEvidence,
  rehearseSupplierSwitch,
  rehearseInsurerChange,
  rehearseProviderChange,
  rehearseChaos,
  reportVerify,
  doctor,
];
