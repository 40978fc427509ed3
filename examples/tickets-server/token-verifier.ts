import { type AuthInfo, OAuthError, OAuthErrorCode, type OAuthTokenVerifier } from '@modelcontextprotocol/server';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

export interface TokenVerifierOptions {
  readonly issuer: string;
  readonly jwksUri: string;
  /** This server's own URL. A token for anybody else, Sidegate included, is refused. */
  readonly audience: string;
}

/** Verifies JWT access tokens (RFC 9068): signature, issuer, audience and expiry. */
export function createTokenVerifier({ issuer, jwksUri, audience }: TokenVerifierOptions): OAuthTokenVerifier {
  const keys = createRemoteJWKSet(new URL(jwksUri));
  return {
    async verifyAccessToken(token): Promise<AuthInfo> {
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer,
          audience,
          algorithms: ['ES256'],
          requiredClaims: ['sub', 'exp', 'client_id'],
        });
        return {
          token,
          clientId: String(payload['client_id']),
          scopes: String(payload['scope'] ?? '').split(' '),
          expiresAt: Number(payload.exp),
          resource: new URL(audience),
          extra: { subject: payload.sub, issuer: payload.iss },
        };
      } catch (error) {
        if (error instanceof errors.JOSEError) throw new OAuthError(OAuthErrorCode.InvalidToken, error.message);
        throw error;
      }
    },
  };
}
