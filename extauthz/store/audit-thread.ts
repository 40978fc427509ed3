import { parentPort, workerData } from 'node:worker_threads';
import { StartupError } from '../../runtime/lifecycle.ts';
import type { AuditRecord } from '../api/audit-record.ts';
import { openSqliteAuditStore } from './sqlite-audit-store.ts';

/** What the thread is asked: to store the records of a JSON array, or, with null, to close and end. */
export interface AuditOrder {
  readonly id: number;
  readonly records: string | null;
}

/** What it answers, and the first thing it says once the database is open, with the id 0. */
export interface AuditReply {
  readonly id: number;
  readonly added?: number;
  /** Nothing was stored. */
  readonly failure?: string;
  /** The failure is one that the operator can mend. */
  readonly mendable?: boolean;
}

/*
 * The thread that waits for the disk. A commit takes milliseconds, in which the thread that decides would decide nothing.
 */
const port = parentPort;
if (port === null) throw new Error('this file is the code of a thread');
const reply = (message: AuditReply): void => port.postMessage(message);
try {
  const store = openSqliteAuditStore(workerData as string);
  port.on('message', async ({ id, records }: AuditOrder) => {
    try {
      if (records === null) {
        port.close();
        await store.close();
        return;
      }
      reply({ id, added: await store.append(JSON.parse(records) as AuditRecord[]) });
    } catch (error) {
      reply({ id, failure: (error as Error).message });
    }
  });
  reply({ id: 0 });
} catch (error) {
  reply({ id: 0, failure: (error as Error).message, mendable: error instanceof StartupError });
}
