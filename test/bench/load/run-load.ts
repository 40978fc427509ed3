import type { CallKind, CallTarget } from '../messages.ts';
import { CallConnection } from './connection.ts';
import { Latencies } from './latencies.ts';

export interface LoadOrder {
  readonly kind: CallKind;
  readonly target: CallTarget;
  readonly connections: number;
  /** The load ends when either is reached. */
  readonly maxCalls: number;
  readonly maxMs: number;
  /** Serial number of the first call: ids and arguments never repeat in a run. */
  readonly firstCall: number;
}

export interface LoadResult {
  readonly calls: number;
  /** From the first byte sent to the last answer. */
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU time of the process that made the load. */
  readonly cpuSeconds: number;
}

/**
 * Sends calls on some connections, the next one as soon as the last is answered, and checks every answer.
 * @throws {Error} at the first answer that is not what it must be.
 */
export async function runLoad({ kind, target, connections, maxCalls, maxMs, firstCall }: LoadOrder): Promise<LoadResult> {
  const open = await Promise.all(Array.from({ length: connections }, () => CallConnection.open(kind, target)));
  const latencies = new Latencies();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const endsAt = startedAt + maxMs;
  let sent = 0;
  let answered = 0;
  const work = (connection: CallConnection): Promise<void> =>
    new Promise((resolve, reject) => {
      let sentAt = 0;
      const next = (now: number): void => {
        if (sent >= maxCalls || now >= endsAt) return resolve();
        sentAt = now;
        connection.send(firstCall + sent++, onAnswer);
      };
      const onAnswer = (fault: string | undefined): void => {
        if (fault !== undefined) return reject(new Error(`${kind}, call ${sent}: ${fault}`));
        const now = performance.now();
        latencies.add((now - sentAt) * 1_000);
        answered += 1;
        next(now);
      };
      next(performance.now());
    });
  try {
    await Promise.all(open.map(work));
  } finally {
    for (const connection of open) connection.close();
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const [p50Us, p99Us] = latencies.quantiles([0.5, 0.99]) as [number, number];
  return { calls: answered, seconds, p50Us, p99Us, cpuSeconds: (user + system) / 1_000_000 };
}
