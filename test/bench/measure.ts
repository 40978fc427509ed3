import type { Bound, Budget } from './budget.ts';
import { CONCURRENCY, MAX_OTHERS_BUSY } from './budget.ts';
import type { Gateway } from './gateways/gateway.ts';
import type { LoadOrder, LoadResult } from './load/run-load.ts';
import type { Child } from './machine/child.ts';
import { processUsage } from './machine/process-usage.ts';
import { processorsBusySeconds } from './machine/processor-usage.ts';
import type { CallKind } from './messages.ts';
import type { LoadReply } from './processes/load.ts';

/** One row measured at one concurrency. */
export interface Measurement {
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU time of the gateway process a call; null without a gateway, or where it cannot be read. */
  readonly gatewayCpuUs: number | null;
  /** Share of one processor that the gateway, or the load process, was using. At 1 it is the bottleneck. */
  readonly gatewayBusy: number | null;
  readonly loadBusy: number;
  /** Share of the processors in use that went to other programs. Much of it spoils the measurement. */
  readonly othersBusy: number | null;
}

/** One row in one round. */
export interface Sample {
  readonly single: Measurement;
  readonly concurrent: Measurement;
  /** Null also when the gateway had served another row before. */
  readonly idleRssMb: number | null;
  readonly usedRssMb: number | null;
  readonly readyMs: number | null;
}

export interface MeasureOptions {
  readonly load: Child;
  /** The processors that the benchmark is pinned to; empty where it is not. */
  readonly processors: readonly number[];
  /** Process ids of everything that runs for the benchmark beside the gateway. */
  readonly helpers: readonly number[];
  readonly kind: CallKind;
  readonly userToken: string;
  readonly budget: Budget;
  /** Whether nothing was asked of the gateway yet. */
  readonly isNew: boolean;
  /** Asked before a disturbed measurement is repeated. */
  readonly mayRepeat: () => boolean;
  /** Gives each load serial numbers of its own. */
  readonly nextCalls: (count: number) => number;
}

/** Repeats of one measurement. */
const MOST_REPEATS = 3;

/** Warms one gateway up, then measures it with one connection and with many. */
export async function measure(
  gateway: Gateway,
  { load, processors, helpers, kind, userToken, budget, isNew, mayRepeat, nextCalls }: MeasureOptions,
): Promise<Sample> {
  const { pid, port, path } = gateway;
  const usage = () => (pid === undefined ? undefined : processUsage(pid));
  const own = [process.pid, ...helpers, ...(pid === undefined ? [] : [pid])];
  const others = (): number | undefined => {
    const busy = processorsBusySeconds(processors);
    return busy === undefined ? undefined : busy - own.reduce((sum, one) => sum + (processUsage(one)?.cpuSeconds ?? 0), 0);
  };
  const run = async ({ maxCalls, maxMs }: Bound, connections: number): Promise<Measurement> => {
    const target = { host: '127.0.0.1', port, path, userToken };
    const before = usage();
    const othersBefore = others();
    const result = await runIn(load, { kind, target, connections, maxCalls, maxMs, firstCall: nextCalls(maxCalls) });
    const after = usage();
    const othersAfter = others();
    const { calls, seconds, p50Us, p99Us, cpuSeconds } = result;
    const gatewayCpu = before === undefined || after === undefined ? undefined : after.cpuSeconds - before.cpuSeconds;
    const othersCpu = othersBefore === undefined || othersAfter === undefined ? undefined : othersAfter - othersBefore;
    return {
      calls,
      callsPerSecond: calls / seconds,
      p50Us,
      p99Us,
      gatewayCpuUs: gatewayCpu === undefined ? null : (gatewayCpu / calls) * 1_000_000,
      gatewayBusy: gatewayCpu === undefined ? null : gatewayCpu / seconds,
      loadBusy: cpuSeconds / seconds,
      othersBusy: othersCpu === undefined ? null : Math.max(0, othersCpu) / seconds / processors.length,
    };
  };
  const idleRssMb = isNew ? (usage()?.rssMb ?? null) : null;
  const warmUp = isNew ? budget.warmUp : budget.change;
  // The first call alone, so that whatever is decided or connected once is not waited for by all connections at the same time.
  await run({ maxCalls: 1, maxMs: warmUp.maxMs }, 1);
  await run(warmUp, CONCURRENCY);
  const undisturbed = async (bound: Bound, connections: number): Promise<Measurement> => {
    let best = await run(bound, connections);
    for (let left = MOST_REPEATS; left > 0 && (best.othersBusy ?? 0) > MAX_OTHERS_BUSY && mayRepeat(); left -= 1) {
      const again = await run(bound, connections);
      if ((again.othersBusy ?? 0) < (best.othersBusy ?? 0)) best = again;
    }
    return best;
  };
  const single = await undisturbed(budget.single, 1);
  const concurrent = await undisturbed(budget.concurrent, CONCURRENCY);
  return { single, concurrent, idleRssMb, usedRssMb: usage()?.rssMb ?? null, readyMs: gateway.readyMs ?? null };
}

/** Has the load process carry out one order. */
async function runIn(load: Child, order: LoadOrder): Promise<LoadResult> {
  const reply = new Promise<LoadReply>((resolve) => load.process.once('message', (message) => resolve(message as LoadReply)));
  load.process.send(order);
  const answered = await Promise.race([reply, load.died]);
  if ('fault' in answered) throw new Error(answered.fault);
  return answered.result;
}
