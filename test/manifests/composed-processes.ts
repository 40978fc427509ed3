import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type RunningChild, startChild } from '../../examples/quick-start/child-process.ts';
import { type ComposeFile, mountsOf, REPOSITORY } from './compose-file.ts';

export interface ComposedProcesses {
  readonly compose: ComposeFile;
  /** Stands in for the machine's volumes and images. */
  readonly directory: string;
  /** Replaces what is different without containers, such as host names and ports, in every value. */
  readonly substitute: (value: string) => string;
  /** What must be said beyond that, by service: addresses that containers may leave to their defaults. */
  readonly additions: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** The host path that a path in a service's container stands for. */
function hostPath(path: string, name: string, { compose, directory }: ComposedProcesses): string {
  const mounts = mountsOf(compose.services[name] ?? ({ volumes: [] } as never));
  const mount = mounts.find(({ target }) => path === target || path.startsWith(`${target}/`));
  if (mount === undefined) return path;
  const root = mount.source.startsWith('.') ? join(REPOSITORY, mount.source) : join(directory, 'volumes', mount.source);
  return root + path.slice(mount.target.length);
}

/** A service's command and environment, as a process of this machine. */
function processOf(name: string, composed: ComposedProcesses): { args: string[]; env: Record<string, string> } {
  const service = composed.compose.services[name];
  if (service === undefined) throw new Error(`no service ${name}`);
  const env = Object.fromEntries(
    Object.entries(service.environment).map(([key, value]) => [key, composed.substitute(hostPath(value, name, composed))]),
  );
  // The product's image has an entry point; the examples' commands begin with `node`.
  const args = service.build?.target === 'sidegate' ? [join(REPOSITORY, 'bin/sidegate.ts'), ...service.command] : service.command.slice(1);
  const located = args.map((arg) => (/^(\.\/)?(examples|manifests|node_modules)\//.test(arg) ? join(REPOSITORY, arg) : arg));
  return { args: located, env: { ...env, ...composed.additions[name] } };
}

/** Starts a service that goes on running. */
export async function startService(name: string, composed: ComposedProcesses, ready: () => Promise<boolean>): Promise<RunningChild> {
  for (const { source, target } of mountsOf(composed.compose.services[name] as never)) {
    if (!source.startsWith('.')) mkdirSync(hostPath(target, name, composed), { recursive: true });
  }
  const { args, env } = processOf(name, composed);
  return startChild({
    name,
    args,
    env: { ...env, PATH: process.env['PATH'] ?? '' },
    logFile: join(composed.directory, `${name}.log`),
    ready,
  });
}

/** Runs a service to its end, with changes to its environment. */
export async function runService(
  name: string,
  composed: ComposedProcesses,
  changes: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { args, env } = processOf(name, composed);
  return runNode(args, { ...env, ...changes });
}

export async function runNode(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...args], {
    env: { ...env },
    cwd: REPOSITORY,
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout;
}
