/** Names the registrar to a client whose calls have to go through the sidecar. */
export const REGISTRAR_VARIABLE = 'SIDEGATE_CONFORMANCE_REGISTRAR';

export interface Link {
  /** Where the client finds the server. */
  readonly url: URL;
  readonly fetch: typeof fetch;
}

/**
 * How a client reaches the suite's server: directly, or under the address that the registrar gives it.
 * The only place that knows of the sidecar: a way through it that keeps the server's own address is one more `Link`.
 */
export async function openLink(serverUrl: string, registrar: string | undefined): Promise<Link> {
  if (registrar === undefined) return { url: new URL(serverUrl), fetch };
  const response = await fetch(registrar, { method: 'POST', body: serverUrl });
  const answer = await response.text();
  if (!response.ok) throw new Error(`the server could not be registered: ${answer}`);
  return { url: new URL(answer), fetch };
}
