import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Installation } from './installation.ts';
import type { Revision, Side } from './requirement-set.ts';
import { readResult, type ScenarioResult } from './verdict.ts';

export interface SuiteRun {
  readonly revision: Revision;
  readonly side: Side;
  /** The server's URL, or the command that starts a client. */
  readonly subject: string;
  /** Added to the environment of the suite, and so of the clients it starts. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the suite leaves its results and its log. Made by the caller. */
  readonly outputDir: string;
  readonly timeLimitMs: number;
}

/** Forty clients at once on a busy machine take a while to start. */
const CLIENT_TIMEOUT_MS = 90_000;
const STAMP = /-\d{4}-\d{2}-\d{2}T[\d-]+Z$/;

/**
 * Runs one requirement set against one server or client. Whether all went well, the results tell: the suite's exit code is not asked.
 * @throws {Error} when the suite does not end in time.
 */
export async function runSuite(suite: Installation, run: SuiteRun): Promise<ReadonlyMap<string, ScenarioResult>> {
  const { side, subject, revision, outputDir } = run;
  const target = side === 'server' ? ['--url', subject] : ['--command', subject, '--timeout', String(CLIENT_TIMEOUT_MS)];
  await runProgram([suite.program, side, ...target, '--requirements', revision, '--output-dir', outputDir], run);
  const results = new Map<string, ScenarioResult>();
  for (const path of await readdir(outputDir, { recursive: true })) {
    if (!path.endsWith('/checks.json')) continue;
    const directory = path.slice(0, -'/checks.json'.length).replace(STAMP, '');
    const scenario = side === 'server' ? directory.slice('server-'.length) : directory;
    results.set(scenario, readResult(readFileSync(join(outputDir, path), 'utf8')));
  }
  return results;
}

/** Runs Node in a process group of its own, so that clients that hang end with the suite. */
async function runProgram(args: readonly string[], { env, outputDir, timeLimitMs }: SuiteRun): Promise<void> {
  const log = openSync(join(outputDir, 'suite.log'), 'a');
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  const endGroup = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      // Nothing of the group is left.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  process.once('exit', endGroup);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    endGroup();
  }, timeLimitMs);
  try {
    await new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
  } finally {
    clearTimeout(timer);
    endGroup();
    process.removeListener('exit', endGroup);
  }
  if (isLate) throw new Error(`the suite did not end within ${timeLimitMs / 1_000} s; its log: ${join(outputDir, 'suite.log')}`);
}
