import type { MeterEvidence, SignedStatement } from '@sefleet/evidence';
import type { SwitchState, SwitchStep } from './switch-state.ts';

/** The evidence of a meter while it grows. */
export type GrowingEvidence = {
  -readonly [K in keyof MeterEvidence]: MeterEvidence[K] extends readonly (infer T)[]
    ? T[]
    : MeterEvidence[K];
};

/** One meter of a switch, as the journal has it. */
export interface MeterSwitch {
  readonly switchId: string;
  readonly endpoint: string;
  readonly state: SwitchState;
  /** The last step that is done. */
  readonly done: SwitchStep | undefined;
  /** True when the next step was begun: its effect may be there, or not. */
  readonly inDoubt: boolean;
  /** Not before this is anything tried again, milliseconds since 1970. */
  readonly dueAt: number;
  /** Tries of the next step. */
  readonly attempts: number;
  /** Counter of the last receipt that is accounted for; undefined before the first command that makes one. */
  readonly receiptCounter: number | undefined;
  readonly reason: string;
  readonly detail: string;
  /** Set when the meter is to be taken back: why. */
  readonly takeBack: string;
  readonly evidence: MeterEvidence;
}

/** The first entry of a meter. @param mandate Of its owner, where that was handed in with the order. */
export function planMeter(
  switchId: string,
  endpoint: string,
  head: Pick<MeterEvidence, 'verb' | 'from' | 'to' | 'cutOverAt'>,
  mandate?: SignedStatement,
): MeterSwitch {
  return {
    switchId,
    endpoint,
    state: 'planned',
    done: undefined,
    inDoubt: false,
    dueAt: 0,
    attempts: 0,
    receiptCounter: undefined,
    reason: '',
    detail: '',
    takeBack: '',
    evidence: {
      format: 'sefleet-meter-evidence-2',
      switchId,
      endpoint,
      ...head,
      state: 'planned',
      reason: '',
      mandate,
      lookUp: undefined,
      cardCertificate: undefined,
      tokens: {},
      receipts: [],
      lostReceipts: [],
      agreement: undefined,
      keyStates: [],
      newKeyCheckValues: [],
      probes: [],
      cutOver: undefined,
      accounts: [],
      exchanges: [],
      timings: [],
      closing: [],
    },
  };
}
