import { z } from 'zod';

/** JWS algorithms (RFC 7518 section 3.1, RFC 8037) that prove the issuer and nobody else. HMAC is not among them: whoever can verify could forge. */
const ASYMMETRIC = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

/** A comma-separated list of them. */
export const algorithms = z.string().transform((text, context): readonly string[] => {
  const names = text.split(',').map((name) => name.trim());
  const refused = names.filter((name) => !ASYMMETRIC.includes(name));
  if (refused.length === 0) return names;
  context.addIssue(`${refused.map((name) => `"${name}"`).join(', ')}: choose from ${ASYMMETRIC.join(', ')}`);
  return z.NEVER;
});
