import { type BundleProblem, problem } from './problem.ts';

export interface TextFile {
  /** Bundle-relative path. */
  readonly path: string;
  readonly text: string;
}

/** The files of a bundle by the part they play. */
export interface BundleFiles {
  readonly servers: readonly TextFile[];
  /** Saved tool lists, by bundle-relative path: bytes, because the strict JSON reader wants them. */
  readonly catalogues: ReadonlyMap<string, Uint8Array>;
  readonly policies: readonly TextFile[];
  readonly views: readonly TextFile[];
  readonly groups: TextFile | undefined;
}

const FOLDERS = {
  servers: { pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*\.(yaml|json)$/, wanted: '<name>.yaml, or a saved tool list as .json' },
  policies: { pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*\.cedar$/, wanted: '<name>.cedar' },
  views: { pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*\.yaml$/, wanted: '<name>.yaml' },
} as const;
type Folder = keyof typeof FOLDERS;

const POLICY_LIKE = /\.cedar$/;
const CONFIGURATION_LIKE = /\.(cedar|yaml|yml|json)$/;

/**
 * Sorts a bundle's files into their parts.
 *
 * A policy file that nothing reads is a `forbid` that nobody enforces, so a file that looks like part of the bundle but
 * sits in the wrong place is a problem, not something to skip. Files and folders whose name starts with a dot are no part of a bundle;
 * neither are `tests/` (read by the test command) and documents such as README.md.
 */
export function sortFiles(files: ReadonlyMap<string, Uint8Array>): { files: BundleFiles; problems: readonly BundleProblem[] } {
  const problems: BundleProblem[] = [];
  const texts: Record<Folder, TextFile[]> = { servers: [], policies: [], views: [] };
  const catalogues = new Map<string, Uint8Array>();
  let groups: TextFile | undefined;

  const text = (path: string, bytes: Uint8Array): TextFile | undefined => {
    const decoded = decodeUtf8(bytes);
    if (decoded === undefined) problems.push(problem(path, undefined, 'the file is not valid UTF-8'));
    return decoded === undefined ? undefined : { path, text: decoded };
  };

  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (path.split('/').some((segment) => segment.startsWith('.'))) continue;
    if (path.startsWith('tests/')) continue;
    if (path === 'groups.yaml') {
      groups = text(path, bytes);
      continue;
    }
    const slash = path.indexOf('/');
    const folder = path.slice(0, slash);
    if (!isFolder(folder)) {
      if (POLICY_LIKE.test(path))
        problems.push(problem(path, undefined, 'a policy file outside policies/ is never read; move it to policies/'));
      if (path === 'groups.yml') problems.push(problem(path, undefined, 'this file is never read; rename it to groups.yaml'));
      continue;
    }
    if (!FOLDERS[folder].pattern.test(path.slice(slash + 1))) {
      if (CONFIGURATION_LIKE.test(path)) {
        problems.push(problem(path, undefined, `this file is never read; in ${folder}/ a file is named ${FOLDERS[folder].wanted}`));
      }
      continue;
    }
    if (path.endsWith('.json')) {
      catalogues.set(path, bytes);
      continue;
    }
    const file = text(path, bytes);
    if (file !== undefined) texts[folder].push(file);
  }
  return { files: { ...texts, catalogues, groups }, problems };
}

function isFolder(name: string): name is Folder {
  return Object.hasOwn(FOLDERS, name);
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
