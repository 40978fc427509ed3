import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SIDEGATE = fileURLToPath(new URL('../../bin/sidegate.ts', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `sidegate injector ...` with nothing in its environment but what is given. */
export function startInjector(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawn(process.execPath, [SIDEGATE, 'injector', ...args], { env: { ...env }, stdio: 'pipe' });
}

/** Runs it to its end. */
export function runInjector(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ''): Promise<Finished> {
  const child = startInjector(args, env);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name]?.on('data', (chunk: Buffer) => (output[name] += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...output }));
    child.stdin?.on('error', () => {}).end(input);
  });
}
