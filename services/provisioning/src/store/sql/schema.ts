/**
 * The tables of devices, cards and rotations, one script a version. Scripts that have been released are never
 * changed.
 */
export const STATE_SCRIPTS: readonly string[] = [
  `CREATE TABLE devices (
     endpoint TEXT PRIMARY KEY, kind TEXT NOT NULL, make TEXT NOT NULL, diversification BYTEA NOT NULL
   );
   CREATE TABLE cards (
     endpoint TEXT PRIMARY KEY REFERENCES devices,
     sealed_image BYTEA NOT NULL, certificate_chain TEXT NOT NULL
   );
   CREATE TABLE domains (
     endpoint TEXT NOT NULL REFERENCES devices, domain TEXT NOT NULL, role TEXT NOT NULL, party TEXT NOT NULL,
     generation INTEGER NOT NULL, rotated_at BIGINT, PRIMARY KEY (endpoint, domain)
   );
   CREATE TABLE rotations (
     rotation_id TEXT PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, stakeholder TEXT NOT NULL,
     concurrency INTEGER NOT NULL, total INTEGER NOT NULL
   );
   CREATE TABLE device_rotations (
     rotation_id TEXT NOT NULL REFERENCES rotations, endpoint TEXT NOT NULL, domain TEXT NOT NULL,
     party TEXT NOT NULL, step TEXT NOT NULL,
     from_generation INTEGER NOT NULL, to_generation INTEGER NOT NULL,
     duration_ms DOUBLE PRECISION, old_key_refused INTEGER NOT NULL DEFAULT 0,
     failure_code TEXT, failure_message TEXT,
     PRIMARY KEY (rotation_id, endpoint, domain)
   );
   CREATE INDEX unfinished ON device_rotations (rotation_id) WHERE step NOT IN ('confirmed', 'failed');`,
  `CREATE TABLE own_credentials (
     endpoint TEXT NOT NULL REFERENCES devices, form TEXT NOT NULL, reference TEXT NOT NULL UNIQUE,
     authority BYTEA NOT NULL, PRIMARY KEY (endpoint, form)
   );`,
  `ALTER TABLE devices ADD COLUMN connectivity TEXT NOT NULL DEFAULT '';`,
  `CREATE TABLE accounts (
     endpoint TEXT NOT NULL REFERENCES devices, party TEXT NOT NULL, PRIMARY KEY (endpoint, party)
   );`,
  // In which order rotations were asked for.
  `ALTER TABLE rotations ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
   CREATE INDEX held_by ON domains (party, role, endpoint);`,
  `ALTER TABLE domains ADD COLUMN records TEXT NOT NULL DEFAULT '';`,
];

/** The tables of supplier switches, as {@link STATE_SCRIPTS}. */
export const JOURNAL_SCRIPTS: readonly string[] = [
  `CREATE TABLE switches (
     switch_id TEXT PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, switch_order TEXT NOT NULL,
     paused INTEGER NOT NULL DEFAULT 0, stopped TEXT NOT NULL DEFAULT ''
   );
   CREATE TABLE meter_switches (
     switch_id TEXT NOT NULL REFERENCES switches, endpoint TEXT NOT NULL, state TEXT NOT NULL, done TEXT,
     in_doubt INTEGER NOT NULL, due_at BIGINT NOT NULL, attempts INTEGER NOT NULL, receipt_counter BIGINT,
     reason TEXT NOT NULL, detail TEXT NOT NULL, take_back TEXT NOT NULL, evidence TEXT NOT NULL,
     PRIMARY KEY (switch_id, endpoint)
   );
   CREATE INDEX by_state ON meter_switches (switch_id, state, reason);
   CREATE INDEX open_meters ON meter_switches (switch_id, endpoint)
     WHERE state NOT IN ('confirmed', 'exception', 'rolled-back');`,
  `ALTER TABLE switches ADD COLUMN started_at BIGINT NOT NULL DEFAULT 0;
   ALTER TABLE switches ADD COLUMN course TEXT NOT NULL DEFAULT '';
   CREATE INDEX by_start ON switches (started_at, switch_id);`,
  // Mandates of owners that were used, and for what.
  `CREATE TABLE mandates (
     giver TEXT NOT NULL, nonce TEXT NOT NULL, switch_id TEXT NOT NULL, endpoint TEXT NOT NULL,
     PRIMARY KEY (giver, nonce)
   );`,
];

/** The tables of parties, contracts and certificates, as {@link STATE_SCRIPTS}. */
export const PARTY_SCRIPTS: readonly string[] = [
  `CREATE TABLE parties (
     id TEXT PRIMARY KEY, name TEXT NOT NULL, roles TEXT NOT NULL, number INTEGER NOT NULL UNIQUE
   );
   CREATE TABLE contracts (
     contract_id TEXT PRIMARY KEY, party TEXT NOT NULL, role TEXT NOT NULL, kind TEXT NOT NULL,
     endpoint TEXT NOT NULL, valid_from BIGINT NOT NULL, valid_until BIGINT, reference TEXT NOT NULL,
     ended_because TEXT NOT NULL
   );
   CREATE TABLE certificates (
     serial_number TEXT PRIMARY KEY, subject TEXT NOT NULL, use_of TEXT NOT NULL, der BYTEA NOT NULL,
     issued_at BIGINT NOT NULL, expires_at BIGINT NOT NULL
   );
   CREATE TABLE revocations (
     serial_number TEXT PRIMARY KEY, subject TEXT NOT NULL, revoked_at BIGINT NOT NULL, reason TEXT NOT NULL
   );
   CREATE TABLE refusals (
     number BIGINT PRIMARY KEY, at BIGINT NOT NULL, caller TEXT NOT NULL, operation TEXT NOT NULL,
     subject TEXT NOT NULL
   );`,
  `CREATE TABLE card_lists (endpoint TEXT PRIMARY KEY, revision BIGINT NOT NULL);`,
];
