/** A statement that a party signed: ECDSA P-256 with SHA-256, `r ‖ s`, over the UTF-8 of `text`. */
export interface SignedStatement {
  readonly party: string;
  /** Canonical JSON. */
  readonly text: string;
  /** Base64. */
  readonly signature: string;
}

/** A receipt as the card gave it. */
export interface ReceiptEvidence {
  readonly kind: 'install' | 'extradition' | 'delete';
  /** The response data that carried it, hexadecimal. */
  readonly response: string;
  /** What it covers, in the order of the receipt's context: AIDs, hexadecimal. */
  readonly context: readonly string[];
}

/** Somebody tried something that has to be refused. */
export interface ProbeEvidence {
  readonly by: string;
  /** For example `old-key-version` or `old-key-cryptogram`. */
  readonly attempt: string;
  /** Status word of the refusal, hexadecimal; `9000` means that it was let in. */
  readonly sw: string;
  readonly at: number;
}

/** Which keys a Security Domain holds, as the card itself says (GET DATA 00E0). */
export interface KeyStateEvidence {
  readonly domain: string;
  readonly when: 'fresh' | 'after-agreement' | 'after-rotation' | 'after-removal';
  /** `identifier/version`, hexadecimal. */
  readonly keys: readonly string[];
}

/** One exchange as a hop saw it. */
export interface ExchangeEvidence {
  readonly hop: 'tsm' | 'from' | 'to' | 'issuer';
  /** SHA-256 over length and bytes of command and response, hexadecimal. */
  readonly digest: string;
}

/** When a step was begun and when it was over, by the switch's clock, milliseconds since 1970. */
export interface StepTiming {
  readonly step: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attempts: number;
}

/** Everything that is kept of the switch of one meter. */
export interface MeterEvidence {
  readonly format: 'sefleet-meter-evidence-1';
  readonly endpoint: string;
  readonly verb: string;
  readonly from: string;
  readonly to: string;
  readonly cutOverAt: number;
  readonly state: string;
  readonly reason: string;
  /** The customer's, or for verbs without a customer the authority's, order to switch. */
  readonly mandate: SignedStatement | undefined;
  /** Certificate of the card's controlling-authority domain, hexadecimal. */
  readonly cardCertificate: string | undefined;
  /** SHA-256 of every token, by what it allows. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly receipts: readonly ReceiptEvidence[];
  /**
   * Receipts that a card made but whose delivery was interrupted: their counters, known from the card itself.
   */
  readonly lostReceipts: readonly number[];
  /** The new supplier's word that the card's agreement receipt verified under a key that only it can know. */
  readonly agreement: SignedStatement | undefined;
  readonly keyStates: readonly KeyStateEvidence[];
  /** Key check values of the new supplier's keys as the card confirmed them. */
  readonly newKeyCheckValues: readonly string[];
  readonly probes: readonly ProbeEvidence[];
  /** SHA-256 of the sealed cut-over records, as each supplier confirmed them. */
  readonly cutOver:
    | { readonly closingRecord: string; readonly openingRecord: string; readonly takenAt: number }
    | undefined;
  readonly exchanges: readonly ExchangeEvidence[];
  readonly timings: readonly StepTiming[];
  /** Counter-signatures of the parties over the digest of all of the above. */
  readonly closing: readonly SignedStatement[];
}

/** A party of the switch. */
export interface PartyEvidence {
  readonly name: string;
  readonly roles: readonly string[];
  /** Certificate of its signing key, DER in hexadecimal. */
  readonly certificate: string;
}

/** What `report/bundle.json` holds. */
export interface EvidenceBundle {
  readonly format: 'sefleet-evidence-bundle-1';
  readonly switchId: string;
  /** Certificate of the authority that all parties' certificates descend from, PEM. */
  readonly authority: string;
  readonly parties: readonly PartyEvidence[];
  readonly meters: readonly MeterEvidence[];
  /** Merkle root over the meters' evidence in their order, hexadecimal. */
  readonly root: string;
}
