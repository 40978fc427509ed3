import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createInjectorMetrics } from '../../injector/metrics.ts';
import { createWebhookServer, type WebhookOptions } from '../../injector/server.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { KeyedCertificate } from '../../runtime/tls.ts';
import { createServerCertificate } from '../support/certificates.ts';
import { TEST_TEMPLATE } from './template.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Question {
  readonly caPem: string;
  readonly port: number;
  readonly body: string | Buffer;
  readonly path?: string;
  readonly method?: string;
  readonly contentType?: string;
}

/** Sends one request over TLS, verifying the server, on a connection of its own. */
export function ask({ caPem, port, body, path = '/inject', method = 'POST', contentType = 'application/json' }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // As the API server does, it would keep the connection.
    const headers = { 'content-type': contentType, 'content-length': Buffer.byteLength(body), connection: 'keep-alive' };
    const sent = request({ host: '127.0.0.1', port, path, method, headers, ca: caPem, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        sent.destroy();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() });
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** A webhook on a free loopback port. */
export async function startWebhook(changes: Partial<WebhookOptions> = {}) {
  const { certPem, keyPem, caPem } = await createServerCertificate();
  const certificate: KeyedCertificate = { certificatePem: certPem, privateKeyPem: keyPem };
  const lines: string[] = [];
  const server = createWebhookServer({
    certificate,
    template: () => TEST_TEMPLATE,
    stopping: () => false,
    metrics: createInjectorMetrics(() => 0),
    logger: createLogger('test', 'info', { write: (line) => lines.push(line) }),
    ...changes,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    caPem,
    port: (server.address() as AddressInfo).port,
    lines,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
