import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { type Configuration, errors, type KoaContextWithOIDC, Provider, type ResourceServer } from 'oidc-provider';
import { accountById } from './accounts.ts';
import { AGENT_CLIENT_ID, CREDENTIAL_STORE_CLIENT_ID, MCP_SCOPE, REDIRECT_URI, SIDEGATE_AUDIENCE, SIDEGATE_RESOURCE } from './clients.ts';

const EIGHT_HOURS_S = 8 * 60 * 60;
const SIGNING_ALGORITHM = 'ES256';

export interface IssuerOptions {
  /** Issuer identifier: the `iss` claim, and the base of every endpoint. */
  readonly issuer: string;
  /** The ticket server's resource indicator: its URL. */
  readonly ticketsResource: string;
  /** Secret of the credential store's client. */
  readonly credentialStoreSecret: string;
}

/** A new signing key for each start: tokens of an earlier quick start are worthless in the next. */
async function signingKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: SIGNING_ALGORITHM, use: 'sig', kid: randomBytes(8).toString('hex') };
}

function jwtAccessToken(audience: string): ResourceServer {
  return {
    scope: MCP_SCOPE,
    audience,
    accessTokenTTL: EIGHT_HOURS_S,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: SIGNING_ALGORITHM } },
  };
}

/**
 * Consent is given in advance: both clients belong to the same company as the issuer. Without this, each sign-in would also
 * stop at a consent page.
 */
async function grantFirstPartyScopes(context: KoaContextWithOIDC) {
  const { client, session, provider, params } = context.oidc;
  if (client === undefined || session?.accountId === undefined) return undefined;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid');
  for (const resource of [params?.['resource']].flat()) {
    if (typeof resource === 'string') grant.addResourceScope(resource, MCP_SCOPE);
  }
  await grant.save();
  return grant;
}

/** The example issuer: OpenID Connect with authorization code and PKCE, JWT access tokens (RFC 9068) bound to one audience each. */
export async function createIssuer({ issuer, ticketsResource, credentialStoreSecret }: IssuerOptions): Promise<Provider> {
  const audiences: Readonly<Record<string, { resource: string; audience: string }>> = {
    [AGENT_CLIENT_ID]: { resource: SIDEGATE_RESOURCE, audience: SIDEGATE_AUDIENCE },
    [CREDENTIAL_STORE_CLIENT_ID]: { resource: ticketsResource, audience: ticketsResource },
  };
  const shared = {
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code'],
    response_types: ['code' as const],
    id_token_signed_response_alg: SIGNING_ALGORITHM as 'ES256',
  };
  const configuration: Configuration = {
    clients: [
      { ...shared, client_id: AGENT_CLIENT_ID, token_endpoint_auth_method: 'none' },
      { ...shared, client_id: CREDENTIAL_STORE_CLIENT_ID, client_secret: credentialStoreSecret },
    ],
    jwks: { keys: [await signingKey()] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    scopes: ['openid'],
    claims: { openid: ['sub'] },
    pkce: { required: () => true },
    findAccount: (_context, id) => (accountById(id) === undefined ? undefined : { accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: (_context, token) => ('accountId' in token ? { groups: accountById(token.accountId)?.groups ?? [] } : undefined),
    loadExistingGrant: grantFirstPartyScopes,
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    ttl: { AuthorizationCode: 60, Grant: EIGHT_HOURS_S, IdToken: EIGHT_HOURS_S, Interaction: 600, Session: EIGHT_HOURS_S },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_context, client) => audiences[client.clientId]?.resource,
        useGrantedResource: () => true,
        getResourceServerInfo(_context, resource, client) {
          const allowed = audiences[client.clientId];
          if (allowed?.resource !== resource) throw new errors.InvalidTarget('this client gets no token for that resource');
          return jwtAccessToken(allowed.audience);
        },
      },
    },
  };
  return new Provider(issuer, configuration);
}
