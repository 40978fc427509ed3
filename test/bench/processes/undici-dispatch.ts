import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { ready, upstreamOrigin } from './ready.ts';

/** A bare pass-through by undici `dispatch`: what the sidecar's JSON-RPC leg would cost if it governed nothing. */
const pool = new Pool(upstreamOrigin().origin, { connections: 1_024, pipelining: 1, headersTimeout: 300_000, bodyTimeout: 0 });
const OWN_FIELDS: ReadonlySet<string> = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'keep-alive']);

function endToEnd(rawHeaders: readonly string[]): string[] {
  const fields: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (!OWN_FIELDS.has(name.toLowerCase())) fields.push(name, rawHeaders[index + 1] as string);
  }
  return fields;
}

function relayTo(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart() {},
    onResponseStart(_controller, status, { connection, 'keep-alive': _keepAlive, 'transfer-encoding': _coding, ...headers }) {
      response.writeHead(status, headers);
    },
    onResponseData(controller, chunk) {
      if (response.write(chunk)) return;
      controller.pause();
      response.once('drain', () => controller.resume());
    },
    onResponseEnd() {
      response.end();
    },
    onResponseError(_controller, error) {
      throw error;
    },
  };
}

function passThrough(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    pool.dispatch({ path: request.url ?? '/', method: 'POST', headers: endToEnd(request.rawHeaders), body }, relayTo(response));
  });
}

const server = createServer({ noDelay: true, keepAliveTimeout: 65_000 }, passThrough);
server.listen(0, '127.0.0.1', () => ready(server));
