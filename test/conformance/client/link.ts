import { z } from 'zod';

/** Names the registrar to a client whose calls have to go through the sidecar. */
export const REGISTRAR_VARIABLE = 'SIDEGATE_CONFORMANCE_REGISTRAR';

type Fetch = typeof fetch;

export interface Link {
  /** Where the client finds the server. */
  readonly url: URL;
  readonly fetch: Fetch;
  /** Settles when a GET of the client was first answered: the stream that the SDK opens on its own, and waits for nowhere. */
  readonly streamOpened: Promise<void>;
}

/** What a client asks the registrar. */
export const LINK_REQUEST = z.object({ scenario: z.string(), serverUrl: z.url() });

/** What the registrar answers: another URL for the server, or a proxy through which its own URL is called. */
export const LINK_ANSWER = z.union([z.object({ url: z.url() }), z.object({ proxy: z.url() })]);

/** How a client reaches the suite's server: directly, or in the way that the registrar says. */
export async function openLink(scenario: string, serverUrl: string, registrar: string | undefined): Promise<Link> {
  const own = new URL(serverUrl);
  if (registrar === undefined) return linkTo(own, fetch);
  const response = await fetch(registrar, { method: 'POST', body: JSON.stringify({ scenario, serverUrl }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`the server could not be registered: ${text}`);
  const answer = LINK_ANSWER.parse(JSON.parse(text));
  return 'url' in answer ? linkTo(new URL(answer.url), fetch) : linkTo(own, await fetchThrough(answer.proxy, own));
}

function linkTo(url: URL, send: Fetch): Link {
  const stream = Promise.withResolvers<void>();
  const observed: Fetch = async (input, init) => {
    const response = await send(input, init);
    if (init?.method === 'GET') stream.resolve();
    return response;
  };
  return { url, fetch: observed, streamOpened: stream.promise };
}

/**
 * What goes to the server's origin goes to the proxy, in absolute form (RFC 9112 section 3.2.2); what the client asks of others, as for a token, goes
 * there directly, as a client with `NO_PROXY` does it.
 */
async function fetchThrough(proxy: string, server: URL): Promise<Fetch> {
  const { ProxyAgent, fetch: undiciFetch } = await import('undici');
  const dispatcher = new ProxyAgent({ uri: proxy, proxyTunnel: false });
  return (input, init) => {
    const isOwn = new URL(input instanceof Request ? input.url : input).origin === server.origin;
    return isOwn
      ? (undiciFetch as unknown as (input: unknown, init: unknown) => ReturnType<Fetch>)(input, { ...init, dispatcher })
      : fetch(input, init);
  };
}
