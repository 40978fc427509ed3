import { discoverAuthorizationServerMetadata, exchangeAuthorization, OAuthError, startAuthorization } from '@modelcontextprotocol/client';
import { MCP_SCOPE, REDIRECT_URI } from './clients.ts';
import { INTERACTION_PATH } from './login-page.ts';

export interface SignIn {
  readonly issuer: string;
  readonly clientId: string;
  /** Only for the confidential client. */
  readonly clientSecret?: string;
  /** Resource indicator (RFC 8707) the token is for. */
  readonly resource: string;
  readonly user: string;
}

/** The issuer refused the sign-in, or answered something that is not a sign-in. The message says why. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
}

/** A browser without a screen: keeps cookies, follows one redirect at a time, and never leaves the issuer. */
class Browser {
  readonly #cookies = new Map<string, string>();
  readonly #origin: string;

  constructor(issuer: string) {
    this.#origin = new URL(issuer).origin;
  }

  /** Fetches one page and gives the address it redirects to. */
  async redirectFrom(url: URL, form?: URLSearchParams): Promise<URL> {
    if (url.origin !== this.#origin) throw new SignInError(`the sign-in led away from the issuer, to ${url.origin}`);
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: { cookie }, ...(form && { method: 'POST', body: form }) });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) this.#cookies.set(name, value);
    }
    const location = response.headers.get('location');
    const body = await response.text();
    if (location === null) {
      // A sentence is for whoever signs in; a page is for a browser.
      const isSentence = response.headers.get('content-type')?.startsWith('text/plain') === true;
      throw new SignInError(
        isSentence ? `the issuer refuses: ${body.slice(0, 200)}` : `the issuer answered with HTTP status ${response.status}`,
      );
    }
    return new URL(location, url);
  }
}

/**
 * Signs a user in without a browser window: OAuth 2.1 authorization code with PKCE (RFC 7636), through the issuer's real login page.
 * @returns the access token, a JWT for `resource`.
 * @throws {SignInError} when the issuer refuses.
 */
export async function signIn({ issuer, clientId, clientSecret, resource, user }: SignIn): Promise<string> {
  const metadata = await discoverAuthorizationServerMetadata(issuer);
  if (metadata === undefined) throw new SignInError(`${issuer} has no discovery document`);
  const clientInformation = { client_id: clientId, ...(clientSecret && { client_secret: clientSecret }) };
  const request = { metadata, clientInformation, resource };
  const { authorizationUrl, codeVerifier } = await startAuthorization(issuer, { ...request, redirectUrl: REDIRECT_URI, scope: MCP_SCOPE });

  const browser = new Browser(issuer);
  let location = await browser.redirectFrom(authorizationUrl);
  if (location.pathname.startsWith(INTERACTION_PATH)) location = await browser.redirectFrom(location, new URLSearchParams({ user }));
  while (!location.href.startsWith(REDIRECT_URI)) location = await browser.redirectFrom(location);

  const { code, iss, error, error_description: description = '' } = Object.fromEntries(location.searchParams);
  if (error !== undefined) throw new SignInError(`${error}: ${description}`);
  if (code === undefined || iss === undefined) throw new SignInError('the issuer sent no code');
  const exchange = { ...request, authorizationCode: code, iss, codeVerifier, redirectUri: REDIRECT_URI };
  const tokens = await exchangeAuthorization(issuer, exchange).catch((cause: unknown) => {
    throw cause instanceof OAuthError ? new SignInError(`${cause.code}: ${cause.message}`, { cause }) : cause;
  });
  return tokens.access_token;
}
