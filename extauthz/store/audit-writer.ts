import type { AuditRecord } from '../api/audit-record.ts';
import type { AuditSink } from './audit-store.ts';

/** Gathers what many callers want stored at the same time into one transaction: a commit costs the same for one record as for hundreds. */
export interface AuditWriter {
  /** Resolves once the records are committed; rejects when they are not. */
  append(records: readonly AuditRecord[]): Promise<void>;
  /** Commits what is waiting. */
  close(): Promise<void>;
}

interface Waiting {
  readonly records: readonly AuditRecord[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface AuditWriterOptions {
  readonly store: AuditSink;
  /** How long a record may wait for company. */
  readonly gatherMs: number;
  /** Told, after each commit, how many records were new. */
  readonly onStored: (added: number) => void;
}

export function createAuditWriter({ store, gatherMs, onStored }: AuditWriterOptions): AuditWriter {
  let waiting: Waiting[] = [];
  let flushing: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  async function commit(batch: readonly Waiting[]): Promise<void> {
    try {
      onStored(await store.append(batch.flatMap(({ records }) => records)));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting;
    waiting = [];
    if (batch.length > 0) flushing = flushing.then(() => commit(batch));
    return flushing;
  }

  return {
    append(records) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ records, resolve, reject });
      timer ??= setTimeout(flush, gatherMs);
      return promise;
    },
    close: flush,
  };
}
