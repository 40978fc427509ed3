import type { Server } from 'node:http';
import { createServer } from '../runtime/http.ts';

export interface AdminOptions {
  /** Why agent traffic cannot be served now; undefined when it can. */
  readonly notReady: () => string | undefined;
  readonly metricsText: () => string;
}

/** The admin server: `/healthz` (the process runs), `/readyz` (decisions can be had), `/metrics` (Prometheus text format). */
export function createAdminServer({ notReady, metricsText }: AdminOptions): Server {
  return createServer((request, response) => {
    const send = (status: number, type: string, text: string) => response.writeHead(status, { 'content-type': type }).end(text);
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'text/plain', 'only GET\n');
    switch (request.url) {
      case '/healthz':
        return send(200, 'text/plain', 'ok\n');
      case '/readyz': {
        const reason = notReady();
        return reason === undefined ? send(200, 'text/plain', 'ready\n') : send(503, 'text/plain', `not ready: ${reason}\n`);
      }
      case '/metrics':
        return send(200, 'text/plain; version=0.0.4; charset=utf-8', metricsText());
      default:
        return send(404, 'text/plain', 'try /healthz, /readyz or /metrics\n');
    }
  });
}
