import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { RawRequest } from './mcp-request.ts';

/** A stream from the sidecar, and what came on it so far. */
export interface OpenStream {
  readonly text: () => string;
  /** The messages in it. */
  readonly messages: () => Record<string, unknown>[];
  readonly isEnded: () => boolean;
  readonly head: Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders }>;
  close(): void;
}

export function openStream(port: number, { method = 'GET', headers = {}, body, path = '/' }: RawRequest): OpenStream {
  let text = '';
  let ended = false;
  const head = Promise.withResolvers<{ readonly status: number; readonly headers: IncomingHttpHeaders }>();
  const outgoing = httpRequest({ host: '127.0.0.1', port, method, path, headers: { host: `localhost:${port}`, ...headers }, agent: false });
  outgoing.on('error', (error) => {
    ended = true;
    head.reject(error);
  });
  outgoing.on('response', (response) => {
    head.resolve({ status: response.statusCode ?? 0, headers: response.headers });
    response.on('error', () => {});
    response.on('close', () => {
      ended = true;
    });
    response.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  });
  outgoing.end(body);
  head.promise.catch(() => {});
  return {
    text: () => text,
    messages: () =>
      text
        .split('\n')
        .filter((line) => line.startsWith('data: {'))
        .map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>),
    isEnded: () => ended,
    head: head.promise,
    close: () => outgoing.destroy(),
  };
}
