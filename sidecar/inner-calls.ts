import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { duplexPair } from 'node:stream';
import { createServer, request } from '../runtime/http.ts';

/** A request as the agent could have sent it. */
export interface InnerRequest {
  readonly method: 'POST' | 'GET' | 'DELETE';
  /** The request target, as in `IncomingMessage.url`. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Uint8Array;
  /** Aborting closes the connection, like an agent that goes away. */
  readonly signal?: AbortSignal;
}

type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Fields that belong to one connection or one body (RFC 9110 section 7.6.1), and so not to the parts of what came over it. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Sends the parts of what one agent sent through the sidecar's own request path, each as a request of its own: judged, forwarded and
 * recorded like any other, so that nothing which takes a message apart can get around policy. It is HTTP in memory, with no port.
 */
export class InnerCalls {
  readonly #server = createServer((incoming, response) => {
    response.on('error', () => response.destroy());
    void this.#handle?.(incoming, response);
  });
  #handle: Handle | undefined;

  /** Sets the request path; nothing can be called before. */
  serve(handle: Handle): void {
    this.#handle = handle;
  }

  /** Sends one request. Settles with the head of its answer; rejects when the connection ends without one. */
  call({ method, path, headers, body, signal }: InnerRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ method, path, headers, ...(signal !== undefined && { signal }), createConnection: () => this.#connect() });
      outgoing.on('error', reject);
      outgoing.on('response', resolve);
      outgoing.end(body);
    });
  }

  #connect() {
    const [near, far] = duplexPair();
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    this.#server.emit('connection', far);
    return near;
  }
}

/** The fields of a request that hold for each of its parts as well. */
export function partHeaders({ headersDistinct }: IncomingMessage): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headersDistinct).filter(([name]) => !OF_THE_CONNECTION.has(name)));
}
