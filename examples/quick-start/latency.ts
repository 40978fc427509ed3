import { MEASURED_CALL } from '../agent/plan.ts';
import type { LatencyOutcome } from './outcome.ts';
import { type AgentRun, runAgent } from './run-agent.ts';

const ROUNDS = 2;
const WARM_UP = 100;
const REPETITIONS = 300;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/**
 * Times one call through Sidegate and directly, with the same agent program: one connection, one call at a time, rounds in turn,
 * the first calls of each left out while both ends warm up. It shows the order of magnitude; `npm run bench` measures.
 */
export async function measureLatency(governed: AgentRun, direct: AgentRun): Promise<LatencyOutcome> {
  const governedMs: number[] = [];
  const directMs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [run, samples] of [
      [direct, directMs],
      [governed, governedMs],
    ] as const) {
      const { repeatedMs } = await runAgent({ ...run, repeat: WARM_UP + REPETITIONS });
      samples.push(...repeatedMs.slice(WARM_UP));
    }
  }
  const [governedMedianMs, directMedianMs] = [median(governedMs), median(directMs)];
  return {
    call: `${MEASURED_CALL.server}/${MEASURED_CALL.tool}`,
    samples: governedMs.length,
    directMedianMs,
    governedMedianMs,
    addedMedianMs: governedMedianMs - directMedianMs,
  };
}
