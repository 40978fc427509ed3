import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StartupError } from '../../runtime/lifecycle.ts';

/** What `.sidegate/quick-start.json` says about the quick start that is running. No secrets. */
export interface RunningQuickStart {
  readonly pid: number;
  readonly issuer: string;
}

const MARKER = 'quick-start.json';

/** Where the quick start keeps what it makes: keys, tokens, the working copy of the bundle, databases, logs. Only its owner may look inside. */
export interface StateDirectory {
  readonly path: string;
  /** The path of something inside. */
  at(...names: readonly string[]): string;
  /** Writes a file, readable by the owner only, and gives its path. */
  write(name: string, text: string): string;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Reads who uses a state directory, or undefined when no quick start does. */
export function runningQuickStart(path: string): RunningQuickStart | undefined {
  try {
    const running = JSON.parse(readFileSync(join(path, MARKER), 'utf8')) as RunningQuickStart;
    return isAlive(running.pid) ? running : undefined;
  } catch {
    return undefined;
  }
}

/** @throws {StartupError} when a quick start uses the state directory. */
export function refuseSecond(path: string): void {
  const other = runningQuickStart(path);
  if (other === undefined) return;
  const beside = 'npm start -- --ports auto --state-dir DIR';
  throw new StartupError(
    `a quick start is running already (pid ${other.pid}, in ${path}): end it first, or run another beside it: \`${beside}\``,
  );
}

/**
 * Empties the state directory and claims it for this process.
 * @throws {StartupError} when another quick start uses it, or when it holds files that no quick start made.
 */
export function claimStateDirectory(path: string, issuer: string): StateDirectory {
  refuseSecond(path);
  if (existsSync(path) && readdirSync(path).length > 0 && !existsSync(join(path, MARKER))) {
    throw new StartupError(
      `${path} holds files that are not the quick start's: move them away, or name another directory with --state-dir`,
    );
  }
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const at = (...names: readonly string[]) => join(path, ...names);
  const write = (name: string, text: string) => {
    mkdirSync(dirname(at(name)), { recursive: true, mode: 0o700 });
    writeFileSync(at(name), text, { mode: 0o600 });
    return at(name);
  };
  write(MARKER, `${JSON.stringify({ pid: process.pid, issuer } satisfies RunningQuickStart)}\n`);
  for (const folder of ['logs', 'spool']) mkdirSync(at(folder), { mode: 0o700 });
  return { path, at, write };
}

/**
 * Copies the sample bundle, with the URLs of servers whose ports are not the usual ones changed.
 * A copy, so that playing with policies leaves the repository as it was.
 * @throws {StartupError} when there is no such bundle.
 */
export function copyBundle(source: string, target: string, ports: ReadonlyMap<number, number>): void {
  if (!existsSync(source)) throw new StartupError(`${source} is missing: this is no complete clone`);
  cpSync(source, target, { recursive: true });
  const servers = join(target, 'servers');
  for (const file of readdirSync(servers).filter((name) => name.endsWith('.yaml'))) {
    const text = readFileSync(join(servers, file), 'utf8');
    const moved = text.replace(
      /^(url: http:\/\/127\.0\.0\.1:)(\d+)/m,
      (_line, start: string, port: string) => `${start}${ports.get(Number(port)) ?? port}`,
    );
    writeFileSync(join(servers, file), moved);
  }
}

/** The environment of a process as a file for `node --env-file`. */
export function envFileText(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}="${value}"\n`)
    .join('');
}
