import { readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { StartupError } from './lifecycle.ts';

/**
 * Reads a file the operator named.
 * @throws {StartupError} saying which setting named it and why it cannot be read.
 */
export function readNamedFile(path: string, namedBy: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartupError(`${namedBy}: cannot read ${path}: ${code === 'ENOENT' ? 'no such file' : code}`);
  }
}

/**
 * A small file that another process replaces now and then (a projected token, a mounted certificate).
 * Read again at most once a second, so a rotation is seen without watching; the last good text is kept when a read fails.
 */
export function rotatingFile(path: string, namedBy: string, now: () => number): () => string {
  let text = readNamedFile(path, namedBy).trim();
  let readAt = now();
  return () => {
    if (now() - readAt < 1_000) return text;
    readAt = now();
    try {
      text = readFileSync(path, 'utf8').trim() || text;
    } catch {
      // The file is between two versions; the text in hand stays valid until its own expiry.
    }
    return text;
  };
}

/**
 * Calls back, at most once per `quietMs`, after anything below a directory changed.
 * Kubernetes mounts swap a symlink next to the files, so the parent is watched as well.
 */
export function watchDirectory(path: string, quietMs: number, onChange: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const schedule = () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, quietMs);
  };
  const own = watch(path, { recursive: true }, schedule);
  const parent = watch(dirname(path), (_event, name) => {
    if (name === basename(path)) schedule();
  });
  for (const watcher of [own, parent]) watcher.on('error', schedule);
  return () => {
    clearTimeout(timer);
    own.close();
    parent.close();
  };
}
