import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { performance } from 'node:perf_hooks';
import type { SecureContextOptions } from 'node:tls';
import type { Logger } from '../runtime/logger.ts';
import type { KeyedCertificate } from '../runtime/tls.ts';
import { VERSION } from '../runtime/version.ts';
import type { InjectorMetrics } from './metrics.ts';
import { type Reviewed, review } from './review.ts';
import type { SidecarTemplate } from './sidecar-container.ts';

export const INJECT_PATH = '/inject';
/** The API server accepts objects of at most 3 MiB; a review holds one, escaped. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** Well above what the webhook configuration lets the API server wait. */
const REQUEST_TIMEOUT_MS = 15_000;

export interface WebhookOptions {
  readonly certificate: KeyedCertificate;
  /** Asked for each request, because the CA file may be replaced. */
  readonly template: () => SidecarTemplate;
  /** While true, answers ask the caller to close the connection: the API server would otherwise keep it to a pod that is about to end. */
  readonly stopping: () => boolean;
  readonly metrics: InjectorMetrics;
  readonly logger: Logger;
}

/**
 * The admission webhook: `POST /inject` with an AdmissionReview.
 * Only a review is answered with 200. Anything else is an HTTP error, and then `failurePolicy` keeps the pod from being created.
 */
export function createWebhookServer(options: WebhookOptions): Server {
  const server = createServer(tlsOptions(options.certificate), (request, response) => {
    if (options.stopping()) response.setHeader('connection', 'close');
    void answer(request, response, options);
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  return server;
}

export function tlsOptions({ certificatePem, privateKeyPem }: KeyedCertificate): SecureContextOptions {
  return { cert: certificatePem, key: privateKeyPem, minVersion: 'TLSv1.2' };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: WebhookOptions): Promise<void> {
  const { metrics, logger } = options;
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1_000;
  try {
    const refused = refusedRequest(request);
    if (refused !== undefined) return sendText(response, refused.status, refused.text);
    const body = await readBody(request);
    if (body === 'too-large') {
      metrics.reviewed('malformed', false, seconds());
      response.setHeader('connection', 'close');
      return sendText(response, 413, `the review is larger than ${MAX_BODY_BYTES} bytes`);
    }
    const reviewed = reviewBytes(body, options.template());
    if (reviewed.kind === 'malformed') {
      metrics.reviewed('malformed', false, seconds());
      logger.warn({ problem: reviewed.problem }, 'not an admission review for a new pod');
      return sendText(response, 400, reviewed.problem);
    }
    metrics.reviewed(reviewed.outcome, reviewed.dryRun, seconds());
    const { pod, outcome, dryRun, refusals } = reviewed;
    logger.info({ pod, outcome, dryRun, ...(refusals.length > 0 && { reasons: refusals.map(({ kind }) => kind) }) }, 'reviewed');
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reviewed.review));
  } catch (error) {
    // Whatever went wrong, the pod was not injected; an error leaves its fate to `failurePolicy`.
    if (request.destroyed && !request.complete) return void response.destroy();
    metrics.reviewed('fault', false, seconds());
    logger.error({ err: error }, 'fault in a review');
    if (response.headersSent) response.destroy();
    else sendText(response, 500, 'fault');
  }
}

function refusedRequest({ method, url, headers }: IncomingMessage): { readonly status: number; readonly text: string } | undefined {
  if (url?.split('?', 1)[0] !== INJECT_PATH) return { status: 404, text: `try ${INJECT_PATH}` };
  if (method !== 'POST') return { status: 405, text: 'only POST' };
  const mediaType = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  return mediaType === 'application/json' ? undefined : { status: 415, text: 'only application/json' };
}

async function readBody(request: IncomingMessage): Promise<Buffer | 'too-large'> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) return 'too-large';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function reviewBytes(bytes: Buffer, template: SidecarTemplate): Reviewed {
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString('utf8'));
  } catch {
    return { kind: 'malformed', problem: 'the body is not JSON' };
  }
  return review(body, template, VERSION);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
