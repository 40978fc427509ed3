import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from '../runtime/http.ts';

const TUNNEL_REASON = 'sidegate does not open tunnels: it could not see what goes through. Use http://localhost:9400/<server>/mcp\n';
const TUNNEL_REFUSED = `HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${TUNNEL_REASON.length}\r\n\r\n${TUNNEL_REASON}`;

export interface AgentServerOptions {
  /** Answers one request. Never rejects. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly receiveTimeoutMs: number;
}

/** The HTTP server that the agent talks to. */
export class AgentServer {
  readonly server: Server;
  #openCalls = 0;
  #onIdle: (() => void) | undefined;

  constructor({ handle, receiveTimeoutMs }: AgentServerOptions) {
    this.server = createServer(
      {
        noDelay: true,
        keepAliveTimeout: 65_000,
        requestTimeout: receiveTimeoutMs,
        headersTimeout: Math.min(receiveTimeoutMs, 10_000),
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: 64 * 1024,
      },
      async (request, response) => {
        const isCall = request.method === 'POST';
        // The agent may go away at any point; whoever writes finds out by itself.
        response.on('error', () => response.destroy());
        if (isCall) this.#openCalls += 1;
        if (this.#onIdle !== undefined) response.setHeader('connection', 'close');
        await handle(request, response);
        if (isCall) this.#openCalls -= 1;
        if (this.#openCalls === 0) this.#onIdle?.();
      },
    );
    this.server.maxHeadersCount = 200;
    // `Upgrade` is ignored, as RFC 9110 section 7.8 allows: Java's client offers h2c with every first request. A tunnel would leave the request path.
    this.server.on('connect', (_request, socket) => {
      // Node no longer listens for errors on this socket; a reset must not end the process.
      socket.on('error', () => socket.destroy());
      socket.end(TUNNEL_REFUSED);
    });
  }

  /**
   * Lets open calls finish for at most `timeoutMs`, then closes every connection. Answers that an open call waits for
   * (a sampling or elicitation result) are still taken, so the port stays open until the last call is done.
   */
  async drain(timeoutMs: number): Promise<void> {
    const idle = Promise.withResolvers<void>();
    this.#onIdle = idle.resolve;
    const timer = setTimeout(idle.resolve, timeoutMs);
    if (this.#openCalls > 0) await idle.promise;
    clearTimeout(timer);
    const closed = new Promise((resolve) => this.server.close(resolve));
    // Answers already written leave first; event streams have no end of their own.
    setTimeout(() => this.server.closeAllConnections(), 100);
    await closed;
    // The requests of the last connections learn of it at the end of this turn: their agents went away, their servers did not fail.
    for (let turn = 0; turn < 2; turn += 1) await new Promise(setImmediate);
  }
}
