/** Changes with every change of {@link FLEET_SCHEMA} that older versions cannot read. */
export const FLEET_SCHEMA_VERSION = 3;

/** From version 2 to version 3: how each device reaches its servers. */
export const FLEET_SCHEMA_3 = `
BEGIN IMMEDIATE;
ALTER TABLE device ADD COLUMN factory_accounts BLOB NOT NULL DEFAULT x'';
ALTER TABLE device ADD COLUMN connectivity TEXT NOT NULL DEFAULT 'coaps psk network';
PRAGMA user_version = 3;
COMMIT;
`;

/** What never changes and what changes with every reading are apart, so that a commit writes little. */
export const FLEET_SCHEMA = `
CREATE TABLE IF NOT EXISTS fleet (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  plan TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS device (
  id INTEGER PRIMARY KEY,
  endpoint TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  number INTEGER NOT NULL,
  bootstrap_uri TEXT NOT NULL,
  bootstrap_psk_identity TEXT NOT NULL,
  bootstrap_secret_id INTEGER NOT NULL,
  device_key_id INTEGER NOT NULL,
  certificate_chain TEXT NOT NULL,
  factory_accounts BLOB NOT NULL,
  connectivity TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS device_state (
  id INTEGER PRIMARY KEY REFERENCES device (id),
  card_image BLOB NOT NULL,
  readings TEXT NOT NULL,
  accounts TEXT NOT NULL,
  supply TEXT NOT NULL,
  sealed INTEGER NOT NULL,
  acknowledged INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS firmware (
  id INTEGER PRIMARY KEY REFERENCES device (id),
  version_number INTEGER NOT NULL,
  version TEXT NOT NULL,
  phase TEXT NOT NULL,
  result INTEGER NOT NULL,
  package BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER NOT NULL REFERENCES device (id),
  position INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (id, position)
) STRICT, WITHOUT ROWID;
`;
