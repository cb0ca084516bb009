/** The schema of the state file, one script a version. Scripts that have been released are never changed. */
export const STATE_MIGRATIONS: readonly string[] = [
  `CREATE TABLE devices (
     endpoint TEXT PRIMARY KEY, kind TEXT NOT NULL, make TEXT NOT NULL, diversification BLOB NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE cards (
     endpoint TEXT PRIMARY KEY REFERENCES devices, sealed_image BLOB NOT NULL, certificate_chain TEXT NOT NULL
   ) STRICT;
   CREATE TABLE domains (
     endpoint TEXT NOT NULL REFERENCES devices, domain TEXT NOT NULL, role TEXT NOT NULL, party TEXT NOT NULL,
     generation INTEGER NOT NULL, rotated_at INTEGER, PRIMARY KEY (endpoint, domain)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE rotations (
     rotation_id TEXT PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, stakeholder TEXT NOT NULL,
     concurrency INTEGER NOT NULL, total INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE device_rotations (
     rotation_id TEXT NOT NULL REFERENCES rotations, endpoint TEXT NOT NULL, domain TEXT NOT NULL,
     party TEXT NOT NULL, step TEXT NOT NULL,
     from_generation INTEGER NOT NULL, to_generation INTEGER NOT NULL,
     duration_ms REAL, old_key_refused INTEGER NOT NULL DEFAULT 0, failure_code TEXT, failure_message TEXT,
     PRIMARY KEY (rotation_id, endpoint, domain)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX unfinished ON device_rotations (rotation_id) WHERE step NOT IN ('confirmed', 'failed');`,
  `CREATE TABLE own_credentials (
     endpoint TEXT NOT NULL REFERENCES devices, form TEXT NOT NULL, reference TEXT NOT NULL UNIQUE,
     authority BLOB NOT NULL, PRIMARY KEY (endpoint, form)
   ) STRICT, WITHOUT ROWID;`,
  `ALTER TABLE devices ADD COLUMN connectivity TEXT NOT NULL DEFAULT '';`,
  `CREATE TABLE accounts (
     endpoint TEXT NOT NULL REFERENCES devices, party TEXT NOT NULL, PRIMARY KEY (endpoint, party)
   ) STRICT, WITHOUT ROWID;`,
];
