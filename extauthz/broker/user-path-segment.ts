import { hash } from 'node:crypto';

const PLAIN = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;
/** The form of a SHA-256 in base64url. */
const LOOKS_HASHED = /^[A-Za-z0-9_-]{43}$/;

/**
 * Turns a user id into one path segment that cannot leave its directory.
 * Plain ids (letters, digits, `.`, `_`, `-`; not starting with a dot; at most 128) stand for themselves, so that an operator can name files by hand.
 * Any other id becomes the base64url of its SHA-256, which also fits a key of a Kubernetes Secret.
 * A plain id that looks like such a hash is hashed as well: otherwise a user could take the name that stands for another.
 */
export function userPathSegment(userId: string): string {
  return PLAIN.test(userId) && !LOOKS_HASHED.test(userId) ? userId : hash('sha256', userId, 'base64url');
}
