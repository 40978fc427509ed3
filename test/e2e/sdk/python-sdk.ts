import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../../../examples/quick-start/processes.ts';
import type { Outcome } from './outcome.ts';
import type { Program } from './program.ts';
import type { ProgramStep } from './program-steps.ts';

/** What `python/surface.py` is to do. */
export type PythonJob = EndpointJob | ProgramJob;

interface Labelled {
  readonly label: string;
  readonly mode: 'legacy' | 'auto';
}

interface Endpoint {
  readonly url: string;
  readonly token: string | undefined;
}

export interface EndpointJob extends Labelled, Endpoint {
  /** Name of a list of steps in the script. */
  readonly steps: string;
}

/** Steps with a server that is a program, directly or by way of the sidecar. */
export type ProgramJob = Labelled &
  (Endpoint | { readonly program: Program }) & {
    readonly calls: readonly ProgramStep[];
    readonly roots: readonly string[];
    /** The directory that the program works on, and what it is made of before the first step. */
    readonly fresh: { readonly directory: string; readonly template: string };
  };

/** Outcomes by label and step. */
export type PythonTranscripts = Readonly<Record<string, Readonly<Record<string, Outcome>>>>;

const MCP_VERSION = '2.3.0';
const VENV = join(REPOSITORY, 'node_modules/.cache/sidegate-python', `mcp-${MCP_VERSION}`);
const PYTHON = join(VENV, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
const COMPLETE = join(VENV, 'sidegate-complete');
const INSTALL_TIMEOUT_MS = 55_000;
const RUN_TIMEOUT_MS = 60_000;

interface Finished {
  readonly exitCode: number | null;
  readonly output: string;
  readonly errors: string;
}

function run(command: string, args: readonly string[], signal: AbortSignal, input = ''): Promise<Finished> {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(command, args, { env, signal, stdio: ['pipe', 'pipe', 'pipe'] });
  const texts = { output: '', errors: '' };
  child.stdout.on('data', (chunk: Buffer) => (texts.output += chunk));
  child.stderr.on('data', (chunk: Buffer) => (texts.errors += chunk));
  child.stdin.on('error', () => {}); // It may be gone before it has read everything.
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ exitCode: null, output: '', errors: error.message }));
    child.on('close', (exitCode) => resolve({ exitCode, ...texts }));
  });
}

/** Makes an environment with the SDK, or finds the one made before. @returns why there is none; undefined when it can be used. */
export async function preparePython(): Promise<string | undefined> {
  const signal = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
  // The Python that it was made with may be gone since.
  if (existsSync(COMPLETE) && (await run(PYTHON, ['-c', 'import mcp_types'], signal)).exitCode === 0) return undefined;
  const version = await run('python3', ['-c', 'import sys; assert sys.version_info >= (3, 10), sys.version'], signal);
  if (version.exitCode !== 0) return `no Python of version 3.10 or newer: ${lastLine(version.errors)}`;
  rmSync(VENV, { recursive: true, force: true });
  mkdirSync(VENV, { recursive: true });
  const made = await run('python3', ['-m', 'venv', VENV], signal);
  if (made.exitCode !== 0) return `no virtual environment could be made: ${lastLine(made.errors)}`;
  const install = ['-m', 'pip', 'install', '--quiet', '--retries', '0', '--disable-pip-version-check', `mcp==${MCP_VERSION}`];
  const installed = await run(PYTHON, install, signal);
  if (installed.exitCode !== 0) return `mcp ${MCP_VERSION} could not be installed: ${lastLine(installed.errors)}`;
  writeFileSync(COMPLETE, '');
  return undefined;
}

/** @throws {Error} with the script's last words when it fails. */
export async function runPython(jobs: readonly PythonJob[]): Promise<PythonTranscripts> {
  const script = join(import.meta.dirname, 'python/surface.py');
  const { exitCode, output, errors } = await run(PYTHON, [script], AbortSignal.timeout(RUN_TIMEOUT_MS), JSON.stringify(jobs));
  if (exitCode !== 0) throw new Error(`the Python client failed: ${errors}`);
  return JSON.parse(output) as PythonTranscripts;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
