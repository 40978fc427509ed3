import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { rotatingFile } from '../../runtime/files.ts';
import { StartupError } from '../../runtime/lifecycle.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { KeySource } from './keys.ts';

/**
 * Keys from a JWK Set file (RFC 7517 section 5), seen again within a second of being replaced. A file that cannot be used leaves the last good one in force.
 * @throws {StartupError} when the file cannot be used at start.
 */
export function fileKeys(path: string, namedBy: string, now: () => number, logger: Logger): KeySource {
  const read = rotatingFile(path, namedBy, now);
  let text = read();
  let keys = parse(text);
  if (keys === undefined) throw new StartupError(`${namedBy}: ${path} is not a JWK Set`);
  return async (header, token) => {
    const latest = read();
    if (latest !== text) {
      text = latest;
      const replaced = parse(text);
      if (replaced === undefined) logger.error({ file: path }, 'the replaced key file is not a JWK Set; the previous keys stay in force');
      keys = replaced ?? keys;
    }
    return await (keys as NonNullable<typeof keys>)(header, token);
  };
}

function parse(text: string): ReturnType<typeof createLocalJWKSet> | undefined {
  try {
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
  } catch {
    return undefined;
  }
}
