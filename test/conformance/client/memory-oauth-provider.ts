import type {
  DpopSession,
  OAuthClientInformationContext,
  OAuthClientMetadata,
  OAuthClientProvider,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client';

export interface MemoryOAuthProviderOptions {
  /** A client that the authorization server knows already, so that none is registered. */
  readonly preRegistered?: StoredOAuthClientInformation;
  /** Where a document describes the client, which servers that read such documents take for its id. */
  readonly clientMetadataUrl?: string;
  readonly dpop?: DpopSession;
}

/** Nothing listens there; the redirect to it is read, not followed. */
const REDIRECT_URL = 'http://localhost:9/callback';

/**
 * The user's side of an OAuth client, with everything kept in memory: it visits the authorization endpoint itself
 * and holds what the redirect brought. Both lines of the SDK take it.
 */
export class MemoryOAuthProvider implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT_URL;
  readonly clientMetadataUrl?: string;
  readonly clientMetadata: OAuthClientMetadata = {
    client_name: 'sidegate-conformance',
    redirect_uris: [REDIRECT_URL],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    application_type: 'native',
  };
  readonly #options: MemoryOAuthProviderOptions;
  #client: StoredOAuthClientInformation | undefined;
  #tokens: StoredOAuthTokens | undefined;
  #verifier = '';
  #callback: URLSearchParams | undefined;

  constructor(options: MemoryOAuthProviderOptions = {}) {
    this.#options = options;
    this.#client = options.preRegistered;
    if (options.clientMetadataUrl !== undefined) this.clientMetadataUrl = options.clientMetadataUrl;
  }

  clientInformation(context?: OAuthClientInformationContext): StoredOAuthClientInformation | undefined {
    const { issuer } = this.#client ?? {};
    const isOthers = issuer !== undefined && context?.issuer !== undefined && issuer !== context.issuer;
    return isOthers ? undefined : this.#client;
  }

  saveClientInformation(client: StoredOAuthClientInformation): void {
    this.#client = client;
  }

  tokens(): StoredOAuthTokens | undefined {
    return this.#tokens;
  }

  saveTokens(tokens: StoredOAuthTokens): void {
    this.#tokens = tokens;
  }

  async redirectToAuthorization(authorizationUrl: URL): Promise<void> {
    const response = await fetch(authorizationUrl, { redirect: 'manual' });
    const location = response.headers.get('location');
    if (location === null) throw new Error(`the authorization endpoint answered ${response.status} without a redirect`);
    this.#callback = new URL(location).searchParams;
  }

  /** What the last redirect brought; each one can be used once. */
  takeCallback(): URLSearchParams {
    const callback = this.#callback;
    if (callback === undefined) throw new Error('there was no redirect');
    this.#callback = undefined;
    return callback;
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }

  dpop(): DpopSession | undefined {
    return this.#options.dpop;
  }
}
