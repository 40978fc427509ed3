import { parseArgs } from 'node:util';
import type { AuditRecord } from './api/audit-record.ts';
import { fail, ok, type Result } from './api/result.ts';
import type { AuditQuery } from './store/audit-store.ts';

export const AUDIT_HELP = `Usage: sidegate extauthz audit [options]

Prints audit records, oldest first.

  --database FILE  the SQLite file (default: SIDEGATE_DATABASE_FILE, or ./sidegate.db)
  --since TIME     records of the last 90s, 10m, 2h, 7d, or since a time like 2026-01-31T12:00:00Z
  --user ID        of this user
  --server NAME    of this server
  --tool NAME      of this tool, prompt, or resource URI
  --denied         only what was refused
  --limit N        the newest N (default: 50)
  --json           one JSON object a line
`;

export interface AuditCommand {
  readonly database: string;
  readonly query: AuditQuery;
  readonly json: boolean;
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DEFAULT_LIMIT = 50;

/**
 * Reads the arguments of `audit`.
 * @throws the TypeError of `parseArgs` for options that do not exist.
 */
export function parseAuditCommand(args: readonly string[], defaultDatabase: string, nowMs: number): Result<AuditCommand, string> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      database: { type: 'string' },
      since: { type: 'string' },
      user: { type: 'string' },
      server: { type: 'string' },
      tool: { type: 'string' },
      denied: { type: 'boolean' },
      limit: { type: 'string' },
      json: { type: 'boolean' },
    },
  });
  const sinceMs = values.since === undefined ? undefined : sinceOf(values.since, nowMs);
  if (Number.isNaN(sinceMs)) return fail(`--since: "${values.since}" is neither a time nor a duration like 10m`);
  const limit = values.limit === undefined ? DEFAULT_LIMIT : Number(values.limit);
  if (!Number.isSafeInteger(limit) || limit < 1) return fail(`--limit: "${values.limit}" is not a whole number above 0`);
  const { user, server, tool: target, denied } = values;
  return ok({
    database: values.database ?? defaultDatabase,
    query: { sinceMs, user, server, target, denied, limit },
    json: values.json === true,
  });
}

/** Unix milliseconds, or NaN. */
function sinceOf(text: string, nowMs: number): number {
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) return nowMs - Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  return /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
}

const COLUMNS: readonly (readonly [title: string, cell: (record: AuditRecord) => string])[] = [
  ['TIME', ({ time }) => time],
  ['USER', ({ user }) => user?.id ?? '-'],
  ['AGENT', ({ agent }) => (agent === null ? '-' : `${agent.namespace}/${agent.serviceAccount}`)],
  ['SERVER', ({ server }) => server || '-'],
  ['METHOD', ({ method }) => method || '-'],
  ['TARGET', ({ target }) => target || '-'],
  ['EFFECT', ({ effect, code }) => (code === '' ? effect : `${effect} (${code})`)],
  ['OUTCOME', ({ outcome }) => outcome],
  ['MS', ({ durationMs }) => durationMs.toFixed(1)],
  ['POLICIES', ({ policies }) => policies.join(' ') || '-'],
];
/** A cell that is longer is cut; `--json` shows it whole. */
const MAX_CELL_LENGTH = 48;

/** The records as a table for people. */
export function auditTable(records: readonly AuditRecord[]): string {
  if (records.length === 0) return 'no records\n';
  const rows = [COLUMNS.map(([title]) => title), ...records.map((record) => COLUMNS.map(([, cell]) => printable(cell(record))))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** Agents choose some of these texts, so what could steer a terminal is not printed. */
function printable(cell: string): string {
  const shown = cell.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '?');
  return shown.length > MAX_CELL_LENGTH ? `${shown.slice(0, MAX_CELL_LENGTH - 1)}…` : shown;
}
