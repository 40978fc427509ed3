import { Client, StreamableHTTPClientTransport, type StreamableHTTPClientTransportOptions, UnauthorizedError } from '@modelcontextprotocol/client';
import type { Link } from './link.ts';
import type { MemoryOAuthProvider } from './memory-oauth-provider.ts';

const INFO = { name: 'sidegate-conformance-v2', version: '1.0.0' };
/** The suite counts authorizations; a client that goes on after the third one is in a loop. */
const MAX_AUTHORIZATIONS = 3;

/** A client as a host would set it up: it can answer whatever a server may ask. */
export function createClient(revision: string): Client {
  const client = new Client(INFO, {
    versionNegotiation: { mode: revision >= '2026-07-28' ? 'auto' : 'legacy' },
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

export function createTransport(link: Link, options: StreamableHTTPClientTransportOptions = {}): StreamableHTTPClientTransport {
  return new StreamableHTTPClientTransport(link.url, { fetch: link.fetch, ...options });
}

/** Connects, does the work and leaves. */
export async function withConnection(link: Link, revision: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = createClient(revision);
  await client.connect(createTransport(link));
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

/** The same for a server that wants a token: whenever the SDK sends the user to authorize, that is done, and the step is tried again. */
export async function withAuthorization(
  link: Link,
  revision: string,
  provider: MemoryOAuthProvider,
  work: (attempt: <Result>(step: () => Promise<Result>) => Promise<Result>, client: Client) => Promise<void>,
): Promise<void> {
  let authorizations = 0;
  let transport = createTransport(link, { authProvider: provider });
  let client = createClient(revision);
  const attempt = async <Result>(step: () => Promise<Result>): Promise<Result> => {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (!isUnauthorized(error) || authorizations === MAX_AUTHORIZATIONS) throw error;
        authorizations += 1;
        await transport.finishAuth(provider.takeCallback());
      }
    }
  };
  await attempt(async () => {
    // A transport that failed to connect is spent; what it learnt for the exchange of the code stays with the provider.
    const fresh = createTransport(link, { authProvider: provider });
    client = createClient(revision);
    transport = fresh;
    await client.connect(fresh);
  });
  try {
    await work(attempt, client);
  } finally {
    await client.close();
  }
}

function isUnauthorized(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof UnauthorizedError) return true;
  return false;
}
