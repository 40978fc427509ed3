import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export type Behaviour = (request: Arrived, response: ServerResponse) => void | Promise<void>;

/** An MCP server that does what a test tells it to, and keeps what it was sent. */
export interface Upstream {
  readonly url: string;
  readonly arrived: Arrived[];
  /** Requests whose connection the other side closed before the answer was complete. */
  readonly abandoned: Arrived[];
  behave(behaviour: Behaviour): void;
  close(): Promise<void>;
}

/** Answers every request with a JSON-RPC result that echoes its id. */
export const echoResult: Behaviour = (request, response) => {
  const { id = null } = JSON.parse(request.body.toString() || '{}');
  json(response, { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'done' }] } });
};

export function json(response: ServerResponse, message: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(message));
}

export async function startUpstream(initial: Behaviour = echoResult): Promise<Upstream> {
  let behaviour = initial;
  const arrived: Arrived[] = [];
  const abandoned: Arrived[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const seen = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) };
    arrived.push(seen);
    response.on('close', () => {
      if (!response.writableFinished) abandoned.push(seen);
    });
    await behaviour(seen, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    arrived,
    abandoned,
    behave(next) {
      behaviour = next;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
