import { z } from 'zod';
import { AUDIT_OUTCOMES, AUDIT_SOURCES, type AuditRecord } from '../api/audit-record.ts';
import { fail, ok, type Result } from '../api/result.ts';

/** Far above what an honest record holds. Whatever is longer is cut, not refused: a huge tool name must not be a way out of the audit. */
const MAX_TEXT_LENGTH = 8_192;
const MAX_LIST_LENGTH = 1_024;

const text = z.string().transform((value) => (value.length > MAX_TEXT_LENGTH ? `${value.slice(0, MAX_TEXT_LENGTH - 1)}…` : value));
const texts = z.array(text).transform((values) => values.slice(0, MAX_LIST_LENGTH));
const count = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER);
const hex = (length: number) => z.string().regex(new RegExp(`^(?:[0-9a-f]{${length}})?$`));

const auditRecord: z.ZodType<AuditRecord, unknown> = z.object({
  id: z.uuid({ version: 'v7' }),
  time: z.iso.datetime(),
  decisionId: text,
  revision: text,
  effect: z.enum(['allow', 'deny']),
  code: text,
  reason: text,
  policies: texts,
  wouldDeny: texts,
  cached: z.boolean(),
  user: z.object({ id: text, issuer: text, groups: texts }).nullable(),
  agent: z.object({ namespace: text, serviceAccount: text, pod: text.nullable() }).nullable(),
  server: text,
  method: text,
  target: text,
  argumentNames: texts,
  argumentsSha256: hex(64),
  credential: text,
  outcome: z.enum(AUDIT_OUTCOMES),
  httpStatus: z.int().min(100).max(599).nullable(),
  rpcCode: z.int().nullable(),
  protocolVersion: text,
  durationMs: count,
  overheadMs: count,
  traceId: hex(32),
  spanId: hex(16),
  requestBytes: count,
  responseBytes: count,
  source: z.enum(AUDIT_SOURCES),
});

/** Reads one reported record. Fields that a newer sidecar might add are dropped. */
export function parseAuditRecord(bytes: Uint8Array): Result<AuditRecord, { readonly kind: 'malformed_record'; readonly detail: string }> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return fail({ kind: 'malformed_record', detail: 'not JSON' });
  }
  const parsed = auditRecord.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  return fail({ kind: 'malformed_record', detail: parsed.error.issues.map(({ path, code }) => `${path.join('.')}: ${code}`).join('; ') });
}
