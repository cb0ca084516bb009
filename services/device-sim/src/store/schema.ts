/** Changes with every change of {@link FLEET_SCHEMA} that older versions cannot read. */
export const FLEET_SCHEMA_VERSION = 2;

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
  certificate_chain TEXT NOT NULL
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
