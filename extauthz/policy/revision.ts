import { createHash } from 'node:crypto';

const REVISION_HEX_CHARACTERS = 16;

/**
 * Names a bundle by its content: SHA-256 over every path and file, in path order, first 16 hex characters.
 * Each part goes in behind its length, so that no two different bundles hash the same bytes.
 */
export function revisionOf(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256');
  const part = (bytes: Uint8Array): void => {
    hash.update(`${bytes.length}:`);
    hash.update(bytes);
  };
  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    part(Buffer.from(path, 'utf8'));
    part(bytes);
  }
  return hash.digest('hex').slice(0, REVISION_HEX_CHARACTERS);
}
