import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, type Result } from './api/result.ts';
import { type BundleProblem, problem } from './policy/problem.ts';

const MAX_FILES = 5_000;
const MAX_FILE_BYTES = 8_388_608;
const MAX_TOTAL_BYTES = 67_108_864;
const MAX_DEPTH = 8;

/** Where a bundle's files are, without their contents. */
export interface BundleListing {
  /** Paths below the directory, with `/`, sorted. */
  readonly files: readonly string[];
  /** Changes whenever a file is added, removed, replaced or written to. */
  readonly signature: string;
}

/**
 * Lists a bundle directory. Symbolic links are followed, because Kubernetes mounts and git-sync are made of them;
 * names that begin with a dot are left out, because the other halves of those links are.
 */
export function listBundleDirectory(directory: string): Result<BundleListing, BundleProblem> {
  const files: string[] = [];
  const stamps: string[] = [];
  let totalBytes = 0;

  const visit = (below: string, depth: number): BundleProblem | undefined => {
    if (depth > MAX_DEPTH) return problem(below, undefined, `directories are nested deeper than ${MAX_DEPTH}`);
    for (const name of readdirSync(join(directory, below)).sort()) {
      if (name.startsWith('.')) continue;
      const path = below === '' ? name : `${below}/${name}`;
      const { size, mtimeNs, ino, ...stat } = statOf(join(directory, path));
      if (stat.isDirectory) {
        const found = visit(path, depth + 1);
        if (found !== undefined) return found;
        continue;
      }
      if (!stat.isFile) return problem(path, undefined, 'neither a file nor a directory');
      if (size > MAX_FILE_BYTES) return problem(path, undefined, `larger than ${MAX_FILE_BYTES} bytes`);
      totalBytes += size;
      if (totalBytes > MAX_TOTAL_BYTES) return problem('', undefined, `the bundle is larger than ${MAX_TOTAL_BYTES} bytes`);
      if (files.push(path) > MAX_FILES) return problem('', undefined, `the bundle has more than ${MAX_FILES} files`);
      stamps.push(`${path}\0${size}\0${mtimeNs}\0${ino}`);
    }
    return undefined;
  };

  try {
    const found = visit('', 0);
    return found === undefined ? ok({ files, signature: stamps.join('\n') }) : fail(found);
  } catch (error) {
    return fail(unreadable(error, directory));
  }
}

/** Reads the files of a listing. */
export function readBundleFiles(directory: string, { files }: BundleListing): Result<ReadonlyMap<string, Uint8Array>, BundleProblem> {
  try {
    return ok(new Map(files.map((path) => [path, readFileSync(join(directory, path))])));
  } catch (error) {
    return fail(unreadable(error, directory));
  }
}

function statOf(path: string) {
  const stat = statSync(path, { bigint: true });
  return { size: Number(stat.size), mtimeNs: stat.mtimeNs, ino: stat.ino, isDirectory: stat.isDirectory(), isFile: stat.isFile() };
}

function unreadable(error: unknown, directory: string): BundleProblem {
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  const below = path?.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : '';
  return problem(below, undefined, code === 'ENOENT' ? 'no such file or directory' : `cannot be read: ${code}`);
}
