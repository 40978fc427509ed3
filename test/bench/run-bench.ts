import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Budget } from './budget.ts';
import { type Child, startBenchProcess } from './machine/child.ts';
import type { Pinning } from './machine/pinning.ts';
import { measure, type Sample } from './measure.ts';
import { startIssuer } from './mesh/identity.ts';
import { startPolicyService } from './mesh/policy-service.ts';
import { ROWS, type RowName, rowsOf, SUBJECT_NAMES, SUBJECTS, type Subject } from './rows.ts';

export interface BenchOptions {
  readonly budget: Budget;
  readonly pinning: Pinning;
  /** Command line of `sidegate`, without its arguments. */
  readonly sidegate: readonly [string, ...string[]];
  readonly progress: (line: string) => void;
}

/** Every sample of every row that could run, and why the others could not. */
export interface BenchRun {
  readonly samples: ReadonlyMap<RowName, readonly Sample[]>;
  readonly skipped: ReadonlyMap<RowName, string>;
}

/**
 * Measures every row in every round, with new gateway processes. Every other round goes through them backwards, so that a machine
 * that slows down or speeds up does not favour one of them.
 * @throws {Error} when a process does not start, or any answer is not what it must be.
 */
export async function runBench({ budget, pinning, sidegate, progress }: BenchOptions): Promise<BenchRun> {
  const skipped = new Map<RowName, string>();
  const subjects = SUBJECT_NAMES.filter((name) => {
    const why = (SUBJECTS[name] as Subject).missing?.();
    if (why === undefined) return true;
    progress(`SKIPPED: ${name}: ${why}`);
    for (const row of rowsOf(name)) skipped.set(row, why);
    return false;
  });
  const samples = new Map<RowName, Sample[]>(subjects.flatMap(rowsOf).map((name) => [name, []]));

  await using stack = new AsyncDisposableStack();
  const started = <T>(value: T, stop: (value: T) => Promise<void> | void): T => stack.adopt(value, stop);
  const root = mkdtempSync(join(tmpdir(), 'sidegate-bench-'));
  const removeRoot = (): void => rmSync(root, { recursive: true, force: true });
  process.once('exit', removeRoot);
  stack.defer(() => {
    process.off('exit', removeRoot);
    removeRoot();
  });
  const stopChild = ({ child }: { readonly child: Child }) => child.stop();
  const issuer = started(await startIssuer(), (running) => running.close());
  const upstream = started(await startBenchProcess('upstream', pinning.upstream), stopChild);
  const traces = started(await startBenchProcess('trace-sink', pinning.upstream), stopChild);
  const load = started(await startBenchProcess('load', pinning.load), stopChild);
  const { gateway: own, load: loads, upstream: serves, policyService: decides } = pinning;
  const processors = [...new Set([own, loads, serves, decides].filter((processor) => processor !== undefined))];
  let { repeats } = budget;
  const mayRepeat = (): boolean => repeats-- > 0;
  let calls = 0;
  const nextCalls = (count: number): number => {
    calls += count;
    return calls - count;
  };
  let directories = 0;
  const newDirectory = (): string => {
    const path = join(root, String(directories++));
    mkdirSync(path, { mode: 0o700 });
    return path;
  };

  for (let round = 0; round < budget.rounds; round += 1) {
    // New in each round, so that no round works on the audit records of the one before.
    const policyService = await startPolicyService({
      directory: newDirectory(),
      sidegate,
      issuer,
      upstreamPort: upstream.port,
      processor: pinning.policyService,
    });
    try {
      for (const name of round % 2 === 0 ? subjects : subjects.toReversed()) {
        const gateway = await SUBJECTS[name].start({
          upstreamPort: upstream.port,
          processor: pinning.gateway,
          directory: newDirectory(),
          sidegate,
          policyService,
          tracesPort: traces.port,
        });
        try {
          await sleep(budget.settleMs);
          for (const [index, row] of rowsOf(name).entries()) {
            const { label, kind } = ROWS[row];
            const sample = await measure(gateway, {
              load: load.child,
              processors,
              helpers: [load.child.pid, upstream.child.pid, traces.child.pid, policyService.pid],
              kind,
              userToken: issuer.userToken,
              budget,
              isNew: index === 0,
              mayRepeat,
              nextCalls,
            });
            samples.get(row)?.push(sample);
            progress(`round ${round + 1} of ${budget.rounds}: ${label}: ${Math.round(sample.concurrent.callsPerSecond)} calls/s`);
          }
        } finally {
          await gateway.stop();
        }
      }
    } finally {
      await policyService.stop();
    }
  }
  return { samples, skipped };
}
