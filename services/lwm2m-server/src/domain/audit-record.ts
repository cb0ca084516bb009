/** A call that was refused. */
export interface AuditRecord {
  readonly atMs: number;
  /** Common name of the caller's certificate. */
  readonly caller: string;
  readonly operation: string;
  readonly endpoint: string;
  readonly path: string;
  readonly reason: string;
}

/** Keeps refusals. */
export interface AuditStore {
  saveAudit(record: AuditRecord): void;
  /** The newest first; of one caller when `caller` is not empty. */
  listAudit(limit: number, caller: string): Promise<readonly AuditRecord[]>;
}
