import type { AuditRecord } from '../../../extauthz/api/audit-record.ts';
import { uuidV7 } from '../../../runtime/uuid-v7.ts';

/** A good record of an allowed tool call by alice. */
export function auditRecord(changes: Partial<AuditRecord> = {}): AuditRecord {
  return {
    id: uuidV7(),
    time: new Date().toISOString(),
    decisionId: uuidV7(),
    revision: '0123456789abcdef',
    effect: 'allow',
    code: '',
    reason: '',
    policies: ['support-tickets'],
    wouldDeny: [],
    cached: false,
    user: { id: 'alice', issuer: 'https://idp.example', groups: ['support'] },
    agent: { namespace: 'agents', serviceAccount: 'helpdesk', pod: 'helpdesk-0' },
    server: 'tickets',
    method: 'tools/call',
    target: 'list_tickets',
    argumentNames: ['status'],
    argumentsSha256: 'a'.repeat(64),
    credential: 'file:alice',
    outcome: 'ok',
    httpStatus: 200,
    rpcCode: null,
    protocolVersion: '2025-11-25',
    durationMs: 12.345,
    overheadMs: 0.4,
    traceId: 'b'.repeat(32),
    spanId: 'c'.repeat(16),
    requestBytes: 120,
    responseBytes: 340,
    source: 'sidecar',
    ...changes,
  };
}
