import { request as httpRequest } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array;
  readonly path?: string;
}

/** Sends one HTTP request exactly as given, to `localhost`, with nothing added but `host` and `content-length`. */
export function send(port: number, { method = 'POST', headers = {}, body, path = '/' }: RawRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port,
      method,
      path,
      headers: { host: `localhost:${port}`, ...headers },
      agent: false,
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
      );
      response.on('error', reject);
    });
    outgoing.end(body);
  });
}

export const MCP_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' } as const;

export function call(name: string, args: unknown = {}, id: number | string = 1): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } });
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: {
    readonly sidegate: { readonly decisionId: string; readonly revision: string; readonly reason: string };
  };
}

/** The JSON-RPC error in an answer, or undefined. */
export function rpcError({ text }: Answer): RpcError | undefined {
  return JSON.parse(text).error;
}
