/** The tables, in the common dialect of SQLite and PostgreSQL. */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS registrations (
    endpoint TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    credential TEXT NOT NULL,
    kind TEXT NOT NULL,
    version TEXT NOT NULL,
    lifetime_seconds BIGINT NOT NULL,
    binding TEXT NOT NULL,
    queue_mode INTEGER NOT NULL,
    sms_number TEXT,
    links TEXT NOT NULL,
    registered_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS observations (
    endpoint TEXT NOT NULL,
    paths TEXT NOT NULL,
    PRIMARY KEY (endpoint, paths)
  );
  CREATE TABLE IF NOT EXISTS bootstraps (
    endpoint TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    at_ms BIGINT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS campaigns (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    operation TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    started_at_ms BIGINT NOT NULL,
    deadline_at_ms BIGINT NOT NULL,
    ended_at_ms BIGINT,
    started_by TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS campaign_results (
    campaign_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    state TEXT NOT NULL,
    code TEXT NOT NULL,
    senml_json TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, endpoint)
  );
  CREATE TABLE IF NOT EXISTS audit_records (
    at_ms BIGINT NOT NULL,
    number BIGINT NOT NULL,
    caller TEXT NOT NULL,
    operation TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    path TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (at_ms, number)
  );
`;

/** Every text that the store runs with parameters. */
export const SQL = {
  saveRegistration: `
    INSERT INTO registrations (endpoint, id, credential, kind, version, lifetime_seconds, binding, queue_mode,
      sms_number, links, registered_at_ms, updated_at_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (endpoint) DO UPDATE SET id = excluded.id, credential = excluded.credential,
      kind = excluded.kind,
      version = excluded.version, lifetime_seconds = excluded.lifetime_seconds, binding = excluded.binding,
      queue_mode = excluded.queue_mode, sms_number = excluded.sms_number, links = excluded.links,
      registered_at_ms = excluded.registered_at_ms, updated_at_ms = excluded.updated_at_ms`,
  touchRegistration: `
    UPDATE registrations SET lifetime_seconds = ?, binding = ?, queue_mode = ?, sms_number = ?, links = ?,
      updated_at_ms = ? WHERE endpoint = ? AND id = ?`,
  removeObservationsOf: `
    DELETE FROM observations WHERE endpoint = ?
      AND EXISTS (SELECT 1 FROM registrations WHERE endpoint = ? AND id = ?)`,
  removeRegistration: 'DELETE FROM registrations WHERE endpoint = ? AND id = ?',
  saveObservation: 'INSERT INTO observations (endpoint, paths) VALUES (?, ?) ON CONFLICT DO NOTHING',
  removeObservation: 'DELETE FROM observations WHERE endpoint = ? AND paths = ?',
  saveBootstrap: `
    INSERT INTO bootstraps (endpoint, kind, at_ms) VALUES (?, ?, ?)
    ON CONFLICT (endpoint) DO UPDATE SET kind = excluded.kind, at_ms = excluded.at_ms`,
  saveCampaign: `
    INSERT INTO campaigns (id, state, operation, concurrency, attempts, started_at_ms, deadline_at_ms,
      ended_at_ms, started_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  updateCampaign: 'UPDATE campaigns SET state = ?, ended_at_ms = ? WHERE id = ?',
  saveResult: `
    INSERT INTO campaign_results (campaign_id, endpoint, state, code, senml_json, error, attempts)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (campaign_id, endpoint) DO UPDATE SET state = excluded.state, code = excluded.code,
      senml_json = excluded.senml_json, error = excluded.error, attempts = excluded.attempts`,
  resultPage: `
    SELECT * FROM campaign_results WHERE campaign_id = ? AND endpoint > ? AND (state = 'failed' OR ? = 0)
    ORDER BY endpoint LIMIT ?`,
  saveAudit: `
    INSERT INTO audit_records (at_ms, number, caller, operation, endpoint, path, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`,
  dropAudit: `
    DELETE FROM audit_records
    WHERE at_ms < (SELECT at_ms FROM audit_records ORDER BY at_ms DESC, number DESC LIMIT 1 OFFSET ?)`,
  listAudit: `
    SELECT * FROM audit_records WHERE (caller = ? OR ? = '') ORDER BY at_ms DESC, number DESC LIMIT ?`,
} as const;
