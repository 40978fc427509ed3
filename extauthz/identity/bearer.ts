import { fail, ok, type Result } from '../api/result.ts';
import type { TokenFailure } from './token-failure.ts';

/** `credentials` of RFC 6750 section 2.1: the scheme, one or more spaces, a b64token, and nothing else. */
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * Takes the token out of an `Authorization` field.
 * A field that was sent twice arrives joined with a comma, which no b64token contains, and is refused.
 */
export function bearerToken(authorization: string | undefined): Result<string, TokenFailure> {
  if (authorization === undefined || authorization.trim() === '') return fail({ kind: 'missing', detail: 'no authorization' });
  const token = BEARER.exec(authorization.trim())?.[1];
  return token === undefined ? fail({ kind: 'malformed', detail: 'authorization is not one bearer token' }) : ok(token);
}
