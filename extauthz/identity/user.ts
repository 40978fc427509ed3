import { fail, ok, type Result } from '../api/result.ts';
import type { KeySource } from './keys.ts';
import type { TokenFailure } from './token-failure.ts';
import { createVerificationCache } from './verification-cache.ts';
import { type TokenRules, verifyToken } from './verify-token.ts';

/** Who a user token speaks for. */
export interface VerifiedUser {
  /** See `User.id`. */
  readonly id: string;
  readonly subject: string;
  readonly issuer: string;
  /** The groups claim; what the bundle adds to it is not this module's business. */
  readonly tokenGroups: readonly string[];
  readonly expiresAtMs: number;
}

export interface UserVerifier {
  verify(token: string, nowMs: number): Promise<Result<VerifiedUser, TokenFailure>>;
}

export interface UserRules extends Omit<TokenRules, 'types'> {
  /** Claim that holds group names: an array of strings, or one string. */
  readonly groupsClaim: string;
}

/** Plain JWTs and access tokens of RFC 9068. ID-JAG, logout, DPoP and client-assertion JWTs say so in `typ`, and are for others. */
const USER_TOKEN_TYPES = ['jwt', 'at+jwt'];
const MAX_CACHED = 10_000;

/** Verifies the tokens that agents forward for their users. */
export function createUserVerifier(rules: UserRules, keys: KeySource): UserVerifier {
  const cache = createVerificationCache<VerifiedUser>(MAX_CACHED);
  const tokenRules: TokenRules = { ...rules, types: USER_TOKEN_TYPES };
  return {
    async verify(token, nowMs) {
      const known = cache.get(token, nowMs);
      if (known !== undefined) return ok(known);
      const verified = await verifyToken(token, tokenRules, keys, nowMs);
      if (!verified.ok) return verified;
      const { sub, exp } = verified.value;
      const groups = groupsOf(verified.value[rules.groupsClaim]);
      // A claim that cannot be read might have named a group that a `forbid` is about.
      if (groups === undefined) return fail({ kind: 'bad_claim', detail: rules.groupsClaim });
      const user: VerifiedUser = { id: sub, subject: sub, issuer: rules.issuer, tokenGroups: groups, expiresAtMs: exp * 1_000 };
      cache.set(token, user, nowMs);
      return ok(user);
    },
  };
}

function groupsOf(claim: unknown): readonly string[] | undefined {
  if (claim === undefined) return [];
  if (typeof claim === 'string') return [claim];
  return Array.isArray(claim) && claim.every((group) => typeof group === 'string') ? claim : undefined;
}
