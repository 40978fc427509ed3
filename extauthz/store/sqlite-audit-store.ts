import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StartupError } from '../../runtime/lifecycle.ts';
import type { AuditRecord } from '../api/audit-record.ts';
import type { AuditQuery, AuditStore } from './audit-store.ts';

/** What is searched has a column; the whole record is JSON beside it, so that a new field needs no new table. */
const SCHEMA = `
  CREATE TABLE audit (
    id TEXT PRIMARY KEY NOT NULL,
    time_ms INTEGER NOT NULL,
    user_id TEXT,
    server TEXT NOT NULL,
    target TEXT NOT NULL,
    effect TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX audit_by_time ON audit (time_ms);
  CREATE INDEX audit_by_user ON audit (user_id, time_ms);
`;
const SCHEMA_VERSION = 1;

const INSERT = `
  INSERT INTO audit (id, time_ms, user_id, server, target, effect, record) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO NOTHING
`;

/**
 * Opens the audit database.
 * @param mode `read` leaves the file untouched, and works beside a service that is writing to it.
 * @throws {StartupError} when the file cannot be used.
 */
export function openSqliteAuditStore(path: string, mode: 'read' | 'write' = 'write'): AuditStore {
  const database = open(path, mode);
  const insert = mode === 'write' ? database.prepare(INSERT) : undefined;
  return {
    async append(records) {
      if (insert === undefined) throw new Error('the audit database is open for reading only');
      let added = 0;
      database.exec('BEGIN IMMEDIATE');
      try {
        for (const record of records) {
          const { id, time, user, server, target, effect } = record;
          added += Number(insert.run(id, Date.parse(time), user?.id ?? null, server, target, effect, JSON.stringify(record)).changes);
        }
        database.exec('COMMIT');
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
      return added;
    },
    async query(query) {
      const { sql, values } = select(query);
      const rows = database.prepare(sql).all(...values) as { record: string }[];
      return rows.reverse().map(({ record }) => JSON.parse(record) as AuditRecord);
    },
    async close() {
      database.close();
    },
  };
}

function open(path: string, mode: 'read' | 'write'): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // Created here so that nobody else on the machine can read it; SQLite gives its side files the same mode.
    if (mode === 'write' && path !== ':memory:') closeSync(openSync(path, 'a', 0o600));
    database = new DatabaseSync(path, { readOnly: mode === 'read', timeout: 5_000 });
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > SCHEMA_VERSION) throw new StartupError(`${path} was written by a newer version of Sidegate`);
    if (mode === 'write') {
      // FULL, because a sidecar forgets a record once it is acknowledged.
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
      if (version === 0) database.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
    } else if (version === 0) throw new StartupError(`${path} is not an audit database`);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof StartupError) throw error;
    throw new StartupError(`cannot open the audit database ${path}: ${(error as Error).message}`);
  }
}

function select({ sinceMs, user, server, target, denied, limit }: AuditQuery): { sql: string; values: (string | number)[] } {
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  const where = (condition: string, value: string | number | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  where('time_ms >= ?', sinceMs);
  where('user_id = ?', user);
  where('server = ?', server);
  where('target = ?', target);
  where('effect = ?', denied === true ? 'deny' : undefined);
  const filter = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return { sql: `SELECT record FROM audit ${filter} ORDER BY time_ms DESC, id DESC LIMIT ?`, values: [...values, limit] };
}
