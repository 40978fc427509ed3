import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TokenShim {
  readonly port: number;
  /** How many requests went to a target (RFC 9112 section 3.2), as it was sent. */
  count(target: string): number;
  close(): Promise<void>;
}

/**
 * Adds the user's token to each request, which the suite cannot do. All else goes through as it was sent, to `Host` and `Origin`:
 * the sidecar must see what the suite's web page sends to a server on this machine.
 */
export async function startTokenShim(sidecarPort: number, token: string): Promise<TokenShim> {
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const target = request.url ?? '';
    counts.set(target, (counts.get(target) ?? 0) + 1);
    pass(request, response, sidecarPort, token);
  });
  server.requestTimeout = 0;
  // The sidecar's answers promise 65 s; a client that was told so must not find its connection closed.
  server.keepAliveTimeout = 70_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    count: (target) => counts.get(target) ?? 0,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pass(request: IncomingMessage, response: ServerResponse, port: number, token: string): void {
  // A client that uses the sidecar as its proxy keeps `Authorization` for the server (RFC 9110 section 11.7.2).
  const field = request.url?.startsWith('http://') ? 'proxy-authorization' : 'authorization';
  const headers = [...request.rawHeaders, field, `Bearer ${token}`];
  const outgoing = httpRequest({
    host: '127.0.0.1',
    port,
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers,
    agent: false,
  });
  outgoing.on('response', (incoming) => {
    response.writeHead(incoming.statusCode ?? 502, incoming.rawHeaders);
    // A stream may be silent for long; its head must not wait for the first event.
    response.flushHeaders();
    incoming.pipe(response);
    incoming.on('error', () => response.destroy());
  });
  outgoing.on('error', () => response.destroy());
  response.on('close', () => outgoing.destroy());
  request.on('error', () => outgoing.destroy());
  request.pipe(outgoing);
}
