/**
 * Why a token was not accepted. Exact, for logs; `publicReason` says what the caller may know.
 *
 * - `keys_unavailable`: the issuer's keys could not be had, so the token is neither good nor bad
 */
export const TOKEN_FAILURES = [
  'missing',
  'malformed',
  'unsupported_algorithm',
  'unsupported_type',
  'unknown_key',
  'bad_signature',
  'wrong_issuer',
  'wrong_audience',
  'expired',
  'not_yet_valid',
  'missing_claim',
  'bad_claim',
  'keys_unavailable',
] as const;

export interface TokenFailure {
  readonly kind: (typeof TOKEN_FAILURES)[number];
  /** What exactly was wrong, without any part of the token that its holder chose freely. For logs only. */
  readonly detail: string;
}

/** Which token a sentence speaks of. */
export type TokenRole = 'user' | 'workload';

/**
 * The sentence a caller may see. It tells a missing, an expired and an unverifiable token apart, because the remedy differs;
 * everything else is one sentence, so that it does not guide a forger.
 */
export function publicReason({ kind }: TokenFailure, role: TokenRole): string {
  switch (kind) {
    case 'missing':
      return `the ${role} token is missing`;
    case 'expired':
      return `the ${role} token has expired`;
    case 'keys_unavailable':
      return `the ${role} token cannot be verified at the moment`;
    case 'malformed':
    case 'unsupported_algorithm':
    case 'unsupported_type':
    case 'unknown_key':
    case 'bad_signature':
    case 'wrong_issuer':
    case 'wrong_audience':
    case 'not_yet_valid':
    case 'missing_claim':
    case 'bad_claim':
      return `the ${role} token is not valid for this service`;
  }
}
