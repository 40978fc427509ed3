const MAX_LENGTH = 2_048;

/**
 * Where the client is to post its messages, as the server's first event says: a URL, or one relative to the stream's
 * (MCP 2024-11-05, HTTP with SSE). It must lie on the server's own origin, or the server could have credentials sent elsewhere.
 * @returns undefined for anything else.
 */
export function endpointUrl(stream: URL, data: string): URL | undefined {
  if (data.length > MAX_LENGTH) return undefined;
  const url = URL.parse(data, stream);
  if (url === null || url.origin !== stream.origin) return undefined;
  // A user and a password would take the place of the granted credential.
  return url.username === '' && url.password === '' && url.hash === '' ? url : undefined;
}
