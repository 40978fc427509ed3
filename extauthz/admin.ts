import { createServer, type Server } from 'node:http';

/** What stands in the way of deciding; empty when nothing does. */
export type Obstacles = () => readonly string[];

export interface AdminOptions {
  readonly obstacles: Obstacles;
  /** Shown with `/readyz`, for operators. */
  readonly status: () => Readonly<Record<string, unknown>>;
  readonly metricsText: () => Promise<string>;
}

/** `/healthz` (the process runs), `/readyz` (it can decide, or why not) and `/metrics`. Shows nothing that is secret, and changes nothing. */
export function createAdminServer({ obstacles, status, metricsText }: AdminOptions): Server {
  return createServer((request, response) => {
    const answer = (code: number, contentType: string, body: string) => {
      response.writeHead(code, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const answerJson = (code: number, body: unknown) => answer(code, 'application/json', `${JSON.stringify(body)}\n`);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return answerJson(405, { error: 'method not allowed' });
    }
    switch (request.url?.split('?', 1)[0]) {
      case '/healthz':
        return answerJson(200, { status: 'ok' });
      case '/readyz': {
        const reasons = obstacles();
        return answerJson(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons, ...status() });
      }
      case '/metrics':
        return void metricsText().then(
          (text) => answer(200, 'text/plain; version=0.0.4; charset=utf-8', text),
          () => answerJson(500, { error: 'metrics could not be collected' }),
        );
      default:
        return answerJson(404, { error: 'not found' });
    }
  });
}
