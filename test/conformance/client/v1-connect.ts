import { type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { type Attempt, attemptsWith } from './attempt.ts';
import type { Link } from './link.ts';
import type { MemoryOAuthProvider } from './memory-oauth-provider.ts';

const INFO = { name: 'sidegate-conformance-v1', version: '1.0.0' };

/** A client as a host sets it up, one that can answer whatever a server may ask. */
function createClient(): Client {
  const client = new Client(INFO, {
    capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: { listChanged: true } },
  });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: {} }));
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    role: 'assistant',
    content: { type: 'text', text: 'It is so.' },
    model: 'none',
  }));
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///conformance', name: 'conformance' }] }));
  return client;
}

function createTransport(link: Link, authProvider?: OAuthClientProvider): StreamableHTTPClientTransport {
  return new StreamableHTTPClientTransport(link.url, { fetch: link.fetch, ...(authProvider !== undefined && { authProvider }) });
}

const isUnauthorized = (error: unknown) => error instanceof UnauthorizedError;

/** Connects, does the work and leaves. */
export async function withConnection(
  link: Link,
  work: (client: Client) => Promise<void>,
  authProvider?: OAuthClientProvider,
): Promise<void> {
  const client = createClient();
  await client.connect(createTransport(link, authProvider) as Transport);
  // The SDK opens the stream for the server's own messages by itself and waits for it nowhere. Scenarios that send on it, or count its
  // openings, tell it from a client's return only when it is there before the first call.
  await link.streamOpened;
  await work(client).finally(() => client.close());
}

/** The same for a server that sends the user to authorize, at the start or on the way. */
export async function withAuthorization(
  link: Link,
  provider: MemoryOAuthProvider,
  work: (client: Client, attempt: Attempt) => Promise<void>,
): Promise<void> {
  const authProvider = provider as OAuthClientProvider;
  let transport = createTransport(link, authProvider);
  const attempt = attemptsWith(isUnauthorized, () => transport.finishAuth(provider.takeCallback().get('code') ?? ''));
  const client = await attempt(async () => {
    // One that failed to connect cannot be used again; tokens are with the provider.
    const fresh = createClient();
    transport = createTransport(link, authProvider);
    await fresh.connect(transport as Transport);
    return fresh;
  });
  await work(client, attempt).finally(() => client.close());
}
