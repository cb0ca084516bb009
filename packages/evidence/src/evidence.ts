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
  /** `beside-`: the domain of one whom an addition or a removal does not concern. */
  readonly when:
    | 'fresh'
    | 'after-agreement'
    | 'after-rotation'
    | 'after-removal'
    | 'beside-before'
    | 'beside-after';
  /** `identifier/version`, hexadecimal. */
  readonly keys: readonly string[];
}

/** Who takes part in a conversation with a card: each keeps a chain of the exchanges that it saw. */
export type Hop = 'tsm' | 'from' | 'to' | 'issuer';

/** One exchange. Whoever began it, it passed the trusted service manager, who saw its bytes and no more. */
export interface ExchangeEvidence {
  /** Who began it. */
  readonly hop: Hop;
  /** SHA-256 over length and bytes of command and response, hexadecimal. */
  readonly digest: string;
}

/** A meter's account on a supplier's own LwM2M server, as that server tells it. */
export interface AccountEvidence {
  readonly server: string;
  /** Id of the registration; empty when there was none. */
  readonly registration: string;
  /** Real time, milliseconds since 1970; 0 when it was never there. */
  readonly registeredAt: number;
  /** When the server did not know the meter any more; 0 while it does. */
  readonly goneAt: number;
  /** What came of the server's next request to the meter; empty while it may ask. */
  readonly refusal: string;
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
  readonly format: 'sefleet-meter-evidence-2';
  readonly switchId: string;
  readonly endpoint: string;
  readonly verb: string;
  /** Who is left; with `add` who is there already and stays. */
  readonly from: string;
  /** Who comes; with `remove` who stays. */
  readonly to: string;
  readonly cutOverAt: number;
  readonly state: string;
  readonly reason: string;
  /** The customer's, or for verbs without a customer the authority's, order to switch. */
  readonly mandate: SignedStatement | undefined;
  /** The question to the market which metering point this is, and when it had to be and was answered. */
  readonly lookUp:
    | { readonly askedAt: number; readonly deadlineAt: number; readonly answeredAt?: number }
    | undefined;
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
  /**
   * SHA-256 of the sealed records of the instant: the last of who goes, the first of who comes; empty where
   * nobody goes, or comes.
   */
  readonly cutOver:
    | { readonly closingRecord: string; readonly openingRecord: string; readonly takenAt: number }
    | undefined;
  /** Accounts that the switch opened and closed; none where suppliers have no servers of their own. */
  readonly accounts: readonly AccountEvidence[];
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

/** A switch of many meters, closed by its parties: none can be left out of it afterwards, and none added. */
export interface SwitchEvidence {
  readonly switchId: string;
  readonly verb: string;
  readonly from: string;
  readonly to: string;
  readonly cutOverAt: number;
  /** Until when it had to be confirmed. */
  readonly deadlineAt: number;
  /** How many meters it was about. */
  readonly meters: number;
  /** Merkle root over the evidence of its meters in their order, hexadecimal. */
  readonly root: string;
  /** The parties' signatures over all of this, over the list of parties and over the authority. */
  readonly closing: readonly SignedStatement[];
}

/** What `report/bundle.json` holds. */
export interface EvidenceBundle {
  readonly format: 'sefleet-evidence-bundle-2';
  /** Certificate of the authority that all parties' certificates descend from, PEM. */
  readonly authority: string;
  readonly parties: readonly PartyEvidence[];
  /** Switches in the order in which they happened. */
  readonly switches: readonly SwitchEvidence[];
  /** The meters of the first switch, then those of the second. */
  readonly meters: readonly MeterEvidence[];
  /** SHA-256 over the switches, hexadecimal: what a party writes down to recognise the bundle by. */
  readonly root: string;
}
