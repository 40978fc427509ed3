/**
 * What the issuer's two OAuth clients may ask for. Both sign the user in; they differ in the audience of the token they get.
 *
 * - The agent's client is public and gets tokens for Sidegate, never for a server behind it.
 * - The credential store's client is confidential and gets each user's token for the ticket server. Only the launcher knows its secret.
 */
export const AGENT_CLIENT_ID = 'example-agent';
export const CREDENTIAL_STORE_CLIENT_ID = 'example-credential-store';

/** Nothing listens there: the headless sign-in reads the redirect itself. */
export const REDIRECT_URI = 'http://127.0.0.1/signed-in';

/** Resource indicator (RFC 8707) that stands for Sidegate. Resource indicators are absolute URIs; the token's audience is the bare word. */
export const SIDEGATE_RESOURCE = 'urn:example:sidegate';
export const SIDEGATE_AUDIENCE = 'sidegate';

/** The one scope that both resources know. */
export const MCP_SCOPE = 'mcp';
