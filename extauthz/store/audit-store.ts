import type { AuditRecord } from '../api/audit-record.ts';

/** Which records to read. Absent fields do not restrict. */
export interface AuditQuery {
  /** Unix milliseconds: records of this time and later. */
  readonly sinceMs?: number | undefined;
  /** `AuditUser.id`. */
  readonly user?: string | undefined;
  readonly server?: string | undefined;
  /** `AuditRecord.target`. */
  readonly target?: string | undefined;
  /** Only what was refused. */
  readonly denied?: boolean | undefined;
  /** The newest so many. */
  readonly limit: number;
}

/** Where audit records rest. SQLite is the default; another database takes the same calls. */
export interface AuditSink {
  /**
   * Stores records in one transaction and resolves once they would survive a power loss. A record whose id is there already is left as it is.
   * @returns how many were new.
   * @throws when nothing was stored.
   */
  append(records: readonly AuditRecord[]): Promise<number>;
  /** Stores what was handed over before. */
  close(): Promise<void>;
}

export interface AuditStore extends AuditSink {
  /** Oldest first. */
  query(query: AuditQuery): Promise<readonly AuditRecord[]>;
}
