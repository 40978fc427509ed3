import { closeSync, constants, openSync, readSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { Secret } from '../../runtime/logger.ts';
import { fail, ok, type Result } from '../api/result.ts';
import type { CredentialFailure } from './credential-strategy.ts';

/** A header field that is longer is refused by common servers. */
const MAX_SECRET_BYTES = 8_192;
/** What a header value may hold (RFC 9110 section 5.5), without obs-text: visible ASCII, space and tab. */
const HEADER_VALUE = /^[\t\u0020-\u007e]+$/;

/**
 * Reads a secret from a file below `directory`, anew each time, so that a rotated or withdrawn secret counts at once.
 * Symbolic links are followed as long as they end below `directory`: Kubernetes mounts are made of them.
 * One newline at the end is dropped.
 */
export function readSecretFile(directory: string, relativePath: string): Result<Secret, CredentialFailure> {
  const bytes = readBelow(directory, relativePath);
  if (!bytes.ok) return bytes;
  const text = bytes.value.toString('latin1').replace(/\r?\n$/, '');
  if (text === '') return fail({ kind: 'unusable', detail: `${relativePath} is empty` });
  if (!HEADER_VALUE.test(text)) return fail({ kind: 'unusable', detail: `${relativePath} has characters that a header must not have` });
  return ok(new Secret(text));
}

function readBelow(directory: string, relativePath: string): Result<Buffer, CredentialFailure> {
  let file: number | undefined;
  try {
    const root = realpathSync.native(directory);
    const path = realpathSync.native(join(root, relativePath));
    if (!path.startsWith(root + sep)) return fail({ kind: 'unusable', detail: `${relativePath} is outside the secrets directory` });
    // Without blocking, so that a pipe left there by mistake cannot stop the process.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(MAX_SECRET_BYTES + 1);
    const length = readSync(file, buffer, 0, buffer.length, 0);
    if (length > MAX_SECRET_BYTES) return fail({ kind: 'unusable', detail: `${relativePath} is longer than ${MAX_SECRET_BYTES} bytes` });
    return ok(buffer.subarray(0, length));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const absent = code === 'ENOENT' || code === 'ENOTDIR';
    return fail({ kind: absent ? 'absent' : 'unusable', detail: `${relativePath}: ${code}` });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
