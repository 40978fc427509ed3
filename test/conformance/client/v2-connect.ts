import { Client, type OAuthClientProvider, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { type Attempt, attemptsWith } from './attempt.ts';
import type { Link } from './link.ts';
import type { MemoryOAuthProvider } from './memory-oauth-provider.ts';

const INFO = { name: 'sidegate-conformance-v2', version: '1.0.0' };
const FIRST_MODERN = '2026-07-28';

/** A client as a host sets it up, one that can answer whatever a server may ask. */
function createClient(revision: string): Client {
  const client = new Client(INFO, {
    versionNegotiation: { mode: revision < FIRST_MODERN ? 'legacy' : 'auto' },
    capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: { listChanged: true } },
  });
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: {} }));
  client.setRequestHandler('sampling/createMessage', () => ({
    role: 'assistant',
    content: { type: 'text', text: 'It is so.' },
    model: 'none',
  }));
  client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///conformance', name: 'conformance' }] }));
  return client;
}

function createTransport(link: Link, authProvider?: OAuthClientProvider): StreamableHTTPClientTransport {
  return new StreamableHTTPClientTransport(link.url, { fetch: link.fetch, ...(authProvider !== undefined && { authProvider }) });
}

const isUnauthorized = (error: unknown) => error instanceof UnauthorizedError;

/** Connects, does the work and leaves. */
export async function withConnection(
  link: Link,
  revision: string,
  work: (client: Client) => Promise<void>,
  authProvider?: OAuthClientProvider,
): Promise<void> {
  const client = createClient(revision);
  await client.connect(createTransport(link, authProvider));
  // The SDK opens the stream for the server's own messages by itself and waits for it nowhere. Scenarios that send on it, or count its
  // openings, tell it from a client's return only when it is there before the first call.
  if (revision < FIRST_MODERN) await link.streamOpened;
  await work(client).finally(() => client.close());
}

/** The same for a server that sends the user to authorize, at the start or on the way. */
export async function withAuthorization(
  link: Link,
  revision: string,
  provider: MemoryOAuthProvider,
  work: (client: Client, attempt: Attempt) => Promise<void>,
): Promise<void> {
  let transport = createTransport(link, provider);
  const attempt = attemptsWith(isUnauthorized, () => transport.finishAuth(provider.takeCallback()));
  const client = await attempt(async () => {
    // One that failed to connect cannot be used again; tokens are with the provider.
    const fresh = createClient(revision);
    transport = createTransport(link, provider);
    await fresh.connect(transport);
    return fresh;
  });
  await work(client, attempt).finally(() => client.close());
}
