import { errors, type JWTPayload, jwtVerify } from 'jose';
import { fail, ok, type Result } from '../api/result.ts';
import { type KeySource, KeysUnavailable } from './keys.ts';
import type { TokenFailure } from './token-failure.ts';

/** What a token must be to be accepted. */
export interface TokenRules {
  /** Compared exactly with `iss`. */
  readonly issuer: string;
  /** Must be `aud`, or in it. */
  readonly audience: string;
  /** JWS algorithms; asymmetric ones only. */
  readonly algorithms: readonly string[];
  /** Accepted `typ` header values, as lower-case media types without `application/`. A token without `typ` is accepted. */
  readonly types: readonly string[];
}

export interface VerifiedClaims extends JWTPayload {
  readonly sub: string;
  readonly exp: number;
}

/** How far apart the clocks of issuer and service may be. */
export const CLOCK_TOLERANCE_S = 30;
const MAX_TOKEN_LENGTH = 16_384;
const MAX_SUBJECT_LENGTH = 512;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Verifies a JWT (RFC 7519, RFC 8725): signature, then issuer, audience, lifetime, type and subject. */
export async function verifyToken(
  token: string,
  rules: TokenRules,
  keys: KeySource,
  nowMs: number,
): Promise<Result<VerifiedClaims, TokenFailure>> {
  if (token === '') return fail({ kind: 'missing', detail: 'no token' });
  if (token.length > MAX_TOKEN_LENGTH) return fail({ kind: 'malformed', detail: 'token too long' });
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: rules.issuer,
      audience: rules.audience,
      algorithms: [...rules.algorithms],
      clockTolerance: CLOCK_TOLERANCE_S,
      requiredClaims: ['sub', 'exp'],
      currentDate: new Date(nowMs),
    });
    const { typ } = protectedHeader;
    if (typ !== undefined && !rules.types.includes(typ.toLowerCase().replace(/^application\//, ''))) {
      return fail({ kind: 'unsupported_type', detail: 'typ is not that of an access token' });
    }
    const { sub, exp } = payload;
    if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT_LENGTH || CONTROL.test(sub))
      return fail({ kind: 'bad_claim', detail: 'sub' });
    if (typeof exp !== 'number') return fail({ kind: 'bad_claim', detail: 'exp' });
    return ok({ ...payload, sub, exp });
  } catch (error) {
    return fail(failureOf(error));
  }
}

/** @throws the error itself when it says nothing about the token: a fault. */
function failureOf(error: unknown): TokenFailure {
  if (error instanceof KeysUnavailable) return { kind: 'keys_unavailable', detail: error.message };
  if (error instanceof errors.JWTExpired) return { kind: 'expired', detail: 'exp' };
  if (error instanceof errors.JWTClaimValidationFailed) return claimFailure(error);
  if (error instanceof errors.JWSSignatureVerificationFailed) return { kind: 'bad_signature', detail: 'signature does not match' };
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return { kind: 'unsupported_algorithm', detail: error.code };
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return { kind: 'unknown_key', detail: error.code };
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return { kind: 'malformed', detail: error.code };
  throw error;
}

function claimFailure({ claim, reason }: errors.JWTClaimValidationFailed): TokenFailure {
  if (reason === 'missing') return { kind: 'missing_claim', detail: claim };
  switch (claim) {
    case 'iss':
      return { kind: 'wrong_issuer', detail: 'iss' };
    case 'aud':
      return { kind: 'wrong_audience', detail: 'aud' };
    case 'nbf':
      return { kind: 'not_yet_valid', detail: 'nbf' };
    default:
      return { kind: 'bad_claim', detail: claim };
  }
}
