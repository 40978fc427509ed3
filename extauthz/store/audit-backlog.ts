import type { Logger } from '../../runtime/logger.ts';
import type { AuditRecord } from '../api/audit-record.ts';
import type { AuditWriter } from './audit-writer.ts';

/** Records of our own that are on their way to the store. Nobody sends them again, so they are kept until they are in. */
export interface AuditBacklog {
  /** No record may be added: the store has been failing for too long. Whoever would cause one must refuse instead. */
  readonly full: boolean;
  add(record: AuditRecord): void;
  /** Tries once more to store what is left, then gives up. */
  close(): Promise<void>;
}

export interface AuditBacklogOptions {
  readonly writer: AuditWriter;
  readonly maxRecords: number;
  readonly retryMs: number;
  readonly logger: Logger;
}

export function createAuditBacklog({ writer, maxRecords, retryMs, logger }: AuditBacklogOptions): AuditBacklog {
  const unstored = new Set<AuditRecord>();
  let retry: NodeJS.Timeout | undefined;

  async function store(records: readonly AuditRecord[]): Promise<void> {
    try {
      await writer.append(records);
      for (const record of records) unstored.delete(record);
    } catch (error) {
      logger.error({ err: error, records: unstored.size }, 'audit records could not be stored; trying again');
      retry ??= setTimeout(() => {
        retry = undefined;
        // Ids make a second attempt harmless for records that are in flight or in already.
        void store([...unstored]);
      }, retryMs);
    }
  }

  return {
    get full() {
      return unstored.size >= maxRecords;
    },
    add(record) {
      unstored.add(record);
      void store([record]);
    },
    async close() {
      clearTimeout(retry);
      if (unstored.size > 0) await writer.append([...unstored]);
      unstored.clear();
    },
  };
}
