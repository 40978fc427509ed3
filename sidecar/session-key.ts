import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const KEY_BYTES = 32;

/**
 * The key that seals this pod's sessions. With a state directory it outlives a restart of the container, and so do the sessions;
 * without one, clients open new sessions then.
 */
export function sessionKey(stateDir: string | undefined): Uint8Array {
  if (stateDir === undefined) return randomBytes(KEY_BYTES);
  const file = join(stateDir, 'session.key');
  try {
    const key = readFileSync(file);
    if (key.length === KEY_BYTES) return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const key = randomBytes(KEY_BYTES);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  writeFileSync(file, key, { mode: 0o600 });
  return key;
}
