import { createServer, type Server } from 'node:http';

export interface AdminOptions {
  /** Why admission requests cannot be answered now; undefined when they can. */
  readonly notReady: () => string | undefined;
  readonly metricsText: () => Promise<string>;
}

/** `/healthz` (the process runs), `/readyz` (it answers admission requests, or why not) and `/metrics` (Prometheus text format). */
export function createAdminServer({ notReady, metricsText }: AdminOptions): Server {
  return createServer((request, response) => {
    const send = (status: number, type: string, text: string) => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return send(405, 'text/plain', 'only GET\n');
    }
    switch (request.url?.split('?', 1)[0]) {
      case '/healthz':
        return send(200, 'text/plain', 'ok\n');
      case '/readyz': {
        const reason = notReady();
        return reason === undefined ? send(200, 'text/plain', 'ready\n') : send(503, 'text/plain', `not ready: ${reason}\n`);
      }
      case '/metrics':
        return void metricsText().then(
          (text) => send(200, 'text/plain; version=0.0.4; charset=utf-8', text),
          () => send(500, 'text/plain', 'metrics could not be collected\n'),
        );
      default:
        return send(404, 'text/plain', 'try /healthz, /readyz or /metrics\n');
    }
  });
}
