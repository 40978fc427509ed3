import type { OAuthClientInformationMixed, OAuthClientMetadata, OAuthClientProvider, OAuthTokens } from '@modelcontextprotocol/client';

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** A workload that shows its own platform's token in place of credentials (RFC 7523 section 2.1; SEP-1933). */
export class WorkloadAssertionProvider implements OAuthClientProvider {
  readonly redirectUrl = undefined;
  readonly clientMetadata: OAuthClientMetadata = {
    client_name: 'sidegate-conformance',
    redirect_uris: [],
    grant_types: [JWT_BEARER],
    token_endpoint_auth_method: 'none',
  };
  readonly #clientId: string;
  readonly #assertion: string;
  #tokens: OAuthTokens | undefined;

  constructor(clientId: string, assertion: string) {
    this.#clientId = clientId;
    this.#assertion = assertion;
  }

  clientInformation(): OAuthClientInformationMixed {
    return { client_id: this.#clientId };
  }

  tokens(): OAuthTokens | undefined {
    return this.#tokens;
  }

  saveTokens(tokens: OAuthTokens): void {
    this.#tokens = tokens;
  }

  prepareTokenRequest(scope?: string): URLSearchParams {
    return new URLSearchParams({ grant_type: JWT_BEARER, assertion: this.#assertion, ...(scope !== undefined && { scope }) });
  }

  redirectToAuthorization(): never {
    throw new Error('a workload has no user to send anywhere');
  }

  saveCodeVerifier(): void {}

  codeVerifier(): never {
    throw new Error('a workload has no code to exchange');
  }
}
