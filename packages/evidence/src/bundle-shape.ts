import type { EvidenceBundle, MeterEvidence } from './evidence.ts';
import { dictionary, fields, list, literal, text, whole, type Shape } from './shape.ts';

/** The form of bundles that is known here. */
export const BUNDLE_FORMAT: EvidenceBundle['format'] = 'sefleet-evidence-bundle-2';
const METER_FORMAT: MeterEvidence['format'] = 'sefleet-meter-evidence-2';

/** More than any switch has; what is longer is no evidence but an attack on its reader. */
const MAX = { METERS: 400_000, EXCHANGES: 10_000, ENTRIES: 1000, NAME: 256, TEXT: 4096, PEM: 16_384 };
const HEX = /^(?:[0-9a-f]{2})*$/;
const DIGEST = /^[0-9a-f]{64}$/;

const name = text(MAX.NAME);
const hex = text(MAX.TEXT, HEX);
const digest = text(64, DIGEST);
const statement = fields({
  party: name,
  text: text(MAX.TEXT),
  /** 64 bytes as base64 writes them, in one way only. */
  signature: text(88, /^[A-Za-z0-9+/]{85}[AQgw]==$/),
});
const statements = list(statement, MAX.ENTRIES);

const meter = fields(
  {
    format: literal(METER_FORMAT),
    switchId: name,
    endpoint: name,
    verb: name,
    from: name,
    to: name,
    cutOverAt: whole,
    state: name,
    reason: name,
    mandate: statement,
    lookUp: fields({ askedAt: whole, deadlineAt: whole, answeredAt: whole }, ['answeredAt']),
    cardCertificate: hex,
    tokens: dictionary(digest, MAX.ENTRIES),
    receipts: list(
      fields({
        kind: text(16, /^(?:install|extradition|delete)$/),
        response: hex,
        context: list(hex, 3),
      }),
      MAX.ENTRIES,
    ),
    lostReceipts: list(whole, MAX.ENTRIES),
    agreement: statement,
    keyStates: list(
      fields({
        domain: hex,
        when: text(32, /^(?:fresh|after-(?:agreement|rotation|removal)|beside-(?:before|after))$/),
        keys: list(text(5, /^[0-9a-f]{2}\/[0-9a-f]{2}$/), MAX.ENTRIES),
      }),
      MAX.ENTRIES,
    ),
    newKeyCheckValues: list(hex, MAX.ENTRIES),
    probes: list(fields({ by: name, attempt: name, sw: text(4, /^[0-9a-f]{4}$/), at: whole }), MAX.ENTRIES),
    cutOver: fields({
      closingRecord: text(64, /^(?:[0-9a-f]{64})?$/),
      openingRecord: text(64, /^(?:[0-9a-f]{64})?$/),
      takenAt: whole,
    }),
    accounts: list(
      fields({ server: name, registration: name, registeredAt: whole, goneAt: whole, refusal: name }),
      MAX.ENTRIES,
    ),
    exchanges: list(fields({ hop: text(8, /^(?:tsm|from|to|issuer)$/), digest }), MAX.EXCHANGES),
    timings: list(fields({ step: name, startedAt: whole, endedAt: whole, attempts: whole }), MAX.ENTRIES),
    closing: statements,
  },
  ['mandate', 'lookUp', 'cardCertificate', 'agreement', 'cutOver'],
);

/** The shape of a bundle; there is no field that nobody looks at. */
export const BUNDLE_SHAPE: Shape = fields({
  format: literal(BUNDLE_FORMAT),
  authority: text(MAX.PEM),
  parties: list(fields({ name, roles: list(name, 32), certificate: text(2 * MAX.TEXT, HEX) }), MAX.ENTRIES),
  switches: list(
    fields({
      switchId: name,
      verb: name,
      from: name,
      to: name,
      cutOverAt: whole,
      deadlineAt: whole,
      meters: whole,
      root: digest,
      closing: statements,
    }),
    MAX.ENTRIES,
  ),
  meters: list(meter, MAX.METERS),
  root: digest,
});
