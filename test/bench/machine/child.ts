import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { StartupError } from '../../../runtime/lifecycle.ts';
import type { Ready } from '../processes/ready.ts';
import { pinned } from './pinning.ts';

export interface ChildOptions {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly processor: number | undefined;
  /** Whether the child talks to us: true for the benchmark's own processes. */
  readonly ipc?: boolean;
}

export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  /** Rejects when the child ends before it is stopped; never resolves. */
  readonly died: Promise<never>;
  stop(): Promise<void>;
}

const STOP_TIMEOUT_MS = 10_000;
const READY_TIMEOUT_MS = 30_000;
const KEPT_OUTPUT = 4_000;

/** What a child needs of our environment to run at all. */
function baseEnv(): Record<string, string> {
  return Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'LANG'].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** Starts a process; its output is kept for the message in case it dies. */
export function startChild({ name, command, env = {}, processor, ipc = false }: ChildOptions): Child {
  const [file, ...args] = pinned(processor, command);
  const child = spawn(file, args, { env: { ...baseEnv(), ...env }, stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  let stopping = false;
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  const died = ended.then((how) => {
    if (stopping) return new Promise<never>(() => {});
    throw new StartupError(`${name} ended (${how}): ${output.trim() || 'it said nothing'}`);
  });
  died.catch(() => {});
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  return {
    pid: child.pid ?? 0,
    process: child,
    died,
    async stop() {
      stopping = true;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
      process.off('exit', endWithUs);
    },
  };
}

/** Starts one of `processes/` and waits until it says its port. */
export async function startBenchProcess(
  name: string,
  processor: number | undefined,
  args: readonly string[] = [],
): Promise<{ readonly child: Child; readonly port: number }> {
  const file = fileURLToPath(new URL(`../processes/${name}.ts`, import.meta.url));
  const child = startChild({ name, command: [process.execPath, file, ...args], processor, ipc: true });
  const ready = new Promise<Ready>((resolve) => child.process.once('message', (message) => resolve(message as Ready)));
  const { port } = await Promise.race([ready, child.died]);
  return { child, port };
}

/**
 * Waits until a child serves, asking every `everyMs`.
 * @throws {StartupError} when it dies first, or takes too long.
 */
export async function untilServing(name: string, child: Child, serves: () => Promise<boolean>, everyMs: number): Promise<void> {
  const giveUpAt = performance.now() + READY_TIMEOUT_MS;
  while (!(await Promise.race([serves(), child.died]))) {
    if (performance.now() > giveUpAt) throw new StartupError(`${name} does not serve after ${READY_TIMEOUT_MS} ms`);
    await sleep(everyMs);
  }
}
