import { watchDirectory } from '../runtime/files.ts';
import { StartupError } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Bundle, PolicyEngine } from './policy/engine.ts';
import { type BundleProblem, problem } from './policy/problem.ts';
import { listBundleDirectory, readBundleFiles } from './read-bundle-directory.ts';

/** The policy bundle in force, replaced whole when its directory changes. */
export interface BundleSource {
  current(): Bundle;
  /** Why the directory's present state is not in force; empty when it is. */
  problems(): readonly BundleProblem[];
  /** Calls back after a new revision came into force. Returns how to stop that. */
  onChange(listener: (bundle: Bundle) => void): () => void;
  close(): void;
}

export interface BundleSourceOptions {
  readonly directory: string;
  readonly engine: PolicyEngine;
  readonly logger: Logger;
  /** Told about each refused state of the directory. */
  readonly onRefused: () => void;
}

/** An editor's save is several events; this long after the last one it is taken as done. */
const QUIET_MS = 100;
/** Looks by itself as well: watching is silent on some network and overlay file systems, and may fail. */
const POLL_MS = 750;
/** A directory that changes while it is read is read again, this many times before the next look. */
const READ_ATTEMPTS = 5;

/** One line a problem: `file:line: reason`, in the form that editors and compilers use. */
export function formatProblem({ file, line, reason }: BundleProblem): string {
  return `${file === '' ? '.' : file}${line === undefined ? '' : `:${line}`}: ${reason}`;
}

/**
 * Loads the bundle and follows its directory.
 * @throws {StartupError} listing every problem when the first bundle cannot be loaded.
 */
export function openBundleSource({ directory, engine, logger, onRefused }: BundleSourceOptions): BundleSource {
  const listeners = new Set<(bundle: Bundle) => void>();
  const first = readState(directory, engine);
  if (first.bundle === undefined)
    throw new StartupError(['the policy bundle cannot be loaded', ...first.problems.map(formatProblem)].join('\n'));
  let bundle = first.bundle;
  let signature = first.signature;
  let problems: readonly BundleProblem[] = [];
  logger.info({ revision: bundle.revision, servers: bundle.servers.size }, 'policy bundle loaded');
  const warn = ({ warnings, revision }: Bundle) => {
    for (const each of warnings) logger.warn({ ...each, revision }, `policy bundle: ${formatProblem(each)}`);
  };
  warn(bundle);

  const look = () => {
    const listing = listBundleDirectory(directory);
    const seen = listing.ok ? listing.value.signature : formatProblem(listing.failure);
    if (seen === signature) return;
    try {
      const state = readState(directory, engine);
      // Changed while being read: not judged now, so that half a change is never in force; the next look comes soon.
      if (state.unstable) return;
      signature = state.signature;
      problems = state.problems;
      if (state.bundle === undefined) refuse(state.problems);
      else if (state.bundle.revision !== bundle.revision) replace(state.bundle);
    } catch (error) {
      signature = seen;
      problems = [problem('', undefined, 'a fault while loading; the log has it')];
      logger.error(
        { err: error, revision: bundle.revision },
        'a fault while loading the policy bundle; the previous revision stays in force',
      );
      onRefused();
    }
  };
  const refuse = (found: readonly BundleProblem[]) => {
    for (const each of found) logger.error({ ...each, revision: bundle.revision }, `policy bundle refused: ${formatProblem(each)}`);
    onRefused();
  };
  const replace = (next: Bundle) => {
    logger.info({ revision: next.revision, previous: bundle.revision, servers: next.servers.size }, 'policy bundle replaced');
    bundle = next;
    warn(next);
    for (const listener of listeners) {
      try {
        listener(next);
      } catch (error) {
        logger.error({ err: error }, 'a listener failed');
      }
    }
  };

  const stopWatching = tryWatching(directory, look, logger);
  const poll = setInterval(look, POLL_MS);
  return {
    current: () => bundle,
    problems: () => problems,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      clearInterval(poll);
      stopWatching();
      listeners.clear();
    },
  };
}

interface DirectoryState {
  readonly bundle: Bundle | undefined;
  readonly problems: readonly BundleProblem[];
  /** The listing's signature, or the problem that stood in its place. */
  readonly signature: string;
  readonly unstable: boolean;
}

/** Reads and loads a directory, with the same listing before and after the reading. */
function readState(directory: string, engine: PolicyEngine): DirectoryState {
  const failed = (found: BundleProblem): DirectoryState => ({
    bundle: undefined,
    problems: [found],
    signature: formatProblem(found),
    unstable: false,
  });
  let failure: BundleProblem | undefined;
  for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
    const before = listBundleDirectory(directory);
    failure = before.ok ? undefined : before.failure;
    if (!before.ok) continue;
    const files = readBundleFiles(directory, before.value);
    const after = listBundleDirectory(directory);
    if (!after.ok || after.value.signature !== before.value.signature) continue;
    if (!files.ok) return failed(files.failure);
    const loaded = engine.load(files.value);
    const { signature } = before.value;
    return loaded.ok
      ? { bundle: loaded.value, problems: [], signature, unstable: false }
      : { bundle: undefined, problems: loaded.failure, signature, unstable: false };
  }
  if (failure !== undefined) return failed(failure);
  return { bundle: undefined, problems: [problem('', undefined, 'the directory keeps changing')], signature: '', unstable: true };
}

function tryWatching(directory: string, onChange: () => void, logger: Logger): () => void {
  try {
    return watchDirectory(directory, QUIET_MS, onChange);
  } catch (error) {
    logger.warn({ err: error }, 'the bundle directory cannot be watched; it is polled instead');
    return () => {};
  }
}
