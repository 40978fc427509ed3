import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../../runtime/lifecycle.ts';

export interface ChildOptions {
  /** How the process is called in messages. */
  readonly name: string;
  /** Arguments for the Node that runs the quick start. */
  readonly args: readonly string[];
  /** The whole environment: a child gets nothing that is not named here. */
  readonly env: Readonly<Record<string, string>>;
  /** Where its output goes. */
  readonly logFile: string;
  /** Whether it serves already. A rejection counts as no. */
  readonly ready: () => Promise<boolean>;
}

export interface RunningChild {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Settles when the process is gone, with a short account of how it ended. */
  readonly ended: Promise<string>;
  /** Asks it to stop; after a while, makes it. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 8_000;

/** The line of a log that says what went wrong: the last error, else the last line; for a JSON line its message. */
export function telltaleLine(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !/^\s+at |^Node\.js v|^[\s}\]]+$/.test(line));
  const line = lines.findLast((text) => /^\w*Error( \[\w+\])?: /.test(text) || /"level":"(error|fatal)"/.test(text)) ?? lines.at(-1) ?? '';
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return [msg, err?.message].filter((part) => part !== undefined).join(': ') || line;
  } catch {
    return line;
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `code ${code}` : signal));
    child.once('error', (error) => resolve(error.message));
  });
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timedOut = await Promise.race([ended.then(() => false), sleep(STOP_TIMEOUT_MS, true, { ref: false })]);
  if (timedOut) {
    child.kill('SIGKILL');
    await ended;
  }
}

/**
 * Starts one process of the mesh and waits until it serves.
 * It has a process group of its own, so that Ctrl-C reaches only the launcher, which then stops everything in order.
 * @throws {StartupError} with the child's own last words when it dies, or does not get ready in time.
 */
export async function startChild({ name, args, env, logFile, ready }: ChildOptions): Promise<RunningChild> {
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  const endWithUs = () => child.kill('SIGTERM');
  process.once('exit', endWithUs);
  const ended = endOf(child);
  void ended.then(() => process.removeListener('exit', endWithUs));

  const giveUp = AbortSignal.timeout(READY_TIMEOUT_MS);
  const died = ended.then((how) => `${name} did not start (${how})`);
  for (;;) {
    const failure = await Promise.race([
      died,
      sleep(30).then(() => (giveUp.aborted ? `${name} was not ready in ${READY_TIMEOUT_MS / 1_000} s` : undefined)),
    ]);
    if (failure !== undefined) {
      await stop(child, ended);
      throw new StartupError(`${failure}: ${telltaleLine(readFileSync(logFile, 'utf8'))} [${logFile}]`);
    }
    if (await ready().catch(() => false)) return { name, pid: child.pid ?? 0, logFile, ended, stop: () => stop(child, ended) };
  }
}

/** A readiness probe: whether a GET is answered with this status. */
export function answers(url: string, status: number): () => Promise<boolean> {
  return async () => {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.status === status;
  };
}
