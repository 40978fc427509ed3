import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { AuditRecord } from '../api/audit-record.ts';
import type { Agent } from '../api/principal.ts';
import type { AuditAck, AuditBatch } from '../api/protos.ts';
import type { ServiceMetrics } from '../metrics.ts';
import { parseAuditRecord } from '../store/audit-record-schema.ts';
import type { AuditWriter } from '../store/audit-writer.ts';
import { answerStream } from './answer-stream.ts';
import { serveVerified, type VerifiedStreamOptions } from './verified-stream.ts';

export interface ReportOptions extends VerifiedStreamOptions {
  readonly writer: AuditWriter;
  readonly metrics: ServiceMetrics;
}

const MAX_OPEN_BATCHES = 16;

/** `sidegate.v1.PolicyService/Report`: a batch is acknowledged once it is committed. When it cannot be, the stream ends and the sidecar keeps it. */
export function reportDoor(options: ReportOptions): (call: ServerDuplexStream<AuditBatch, AuditAck>) => void {
  return (call) =>
    void serveVerified(call, options, ({ agent }) => answerStream(call, MAX_OPEN_BATCHES, (batch) => store(batch, agent, options)));
}

async function store({ id, records }: AuditBatch, agent: Agent, { writer, metrics, logger }: ReportOptions): Promise<AuditAck> {
  const readable: AuditRecord[] = [];
  for (const bytes of records) {
    const record = parseAuditRecord(bytes);
    if (record.ok) readable.push(attributed(record.value, agent));
    else {
      // Acknowledged all the same: sent again it would be malformed again, and hold up every record behind it.
      logger.error({ agent, detail: record.failure.detail, bytes: bytes.length }, 'malformed audit record dropped');
      metrics.auditMalformed(1);
    }
  }
  if (readable.length > 0) {
    try {
      await writer.append(readable);
    } catch (error) {
      logger.error({ err: error, records: readable.length }, 'audit records could not be stored');
      throw error;
    }
  }
  return { id };
}

/** Who reports is known from the stream; what the record says about that, and about where it came from, does not count. */
function attributed(record: AuditRecord, { namespace, serviceAccount, pod }: Agent): AuditRecord {
  return { ...record, agent: { namespace, serviceAccount, pod: pod ?? null }, source: 'sidecar' };
}
