import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { StartupError } from '../../runtime/lifecycle.ts';
import type { AuditSink } from './audit-store.ts';
import type { AuditOrder, AuditReply } from './audit-thread.ts';

/** Beside this file, in the sources and in `dist/` alike. */
const THREAD = new URL(`./audit-thread${extname(import.meta.filename)}`, import.meta.url);

interface Waiting {
  readonly resolve: (added: number) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Opens the audit database in a thread of its own, for writing. What `append` promises is what the database promises:
 * it resolves once the records are on the disk.
 * @throws {StartupError} when the file cannot be used.
 */
export async function openThreadedAuditStore(path: string): Promise<AuditSink> {
  const waiting = new Map<number, Waiting>();
  const worker = new Worker(THREAD, { workerData: path });
  let over: Error | undefined;
  // Nobody hears `error` once the database is open: a fault in the thread is a fault of the process, which ends with it.
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      over = new Error('the audit thread has ended');
      for (const { reject } of waiting.values()) reject(over);
      waiting.clear();
      resolve();
    });
  });

  const [opened] = (await Promise.race([once(worker, 'message'), ended.then(() => [])])) as [AuditReply?];
  if (opened === undefined) throw new Error('the audit thread ended before it began');
  if (opened.failure !== undefined) {
    await worker.terminate();
    throw opened.mendable === true ? new StartupError(opened.failure) : new Error(opened.failure);
  }
  worker.on('message', ({ id, added = 0, failure }: AuditReply) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (failure === undefined) asked?.resolve(added);
    else asked?.reject(new Error(failure));
  });

  let orders = 0;
  const order = (records: string | null): number => {
    orders += 1;
    worker.postMessage({ id: orders, records } satisfies AuditOrder);
    return orders;
  };
  return {
    append: (records) =>
      new Promise((resolve, reject) => {
        if (over !== undefined) reject(over);
        else waiting.set(order(JSON.stringify(records)), { resolve, reject });
      }),
    async close() {
      if (over === undefined) order(null);
      await ended;
    },
  };
}
