import { HTTP_METHODS } from '../extauthz/api/operation.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Decided, Decider } from './authz/decide.ts';
import { refusalBody } from './denial.ts';
import type { Exchange } from './exchange.ts';
import type { Conversation, OpenRequests } from './open-requests.ts';
import type { Permit } from './permit.ts';
import { keepsCredential } from './routes.ts';
import type { Upstreams } from './upstream/forward.ts';
import { upstreamHeaders } from './upstream/headers.ts';

export interface ServerRequestsOptions {
  readonly decider: Decider;
  readonly upstreams: Upstreams;
  readonly open: OpenRequests;
  readonly logger: Logger;
}

/** The stream on which a server makes requests of the agent's user. */
export interface RequestStream {
  readonly exchange: Exchange;
  readonly permit: Permit;
  readonly conversation: Conversation;
  readonly userToken: string;
}

/**
 * Requests that servers make of the agent (sampling, elicitation, roots; revisions to 2025-11-25). One that is allowed waits for the agent's answer;
 * one that is refused never reaches the agent, and its server is told so in the agent's place, since it would wait otherwise.
 */
export class ServerRequests {
  readonly #options: ServerRequestsOptions;

  constructor(options: ServerRequestsOptions) {
    this.#options = options;
  }

  /** Takes note of one request that was decided. */
  decided(stream: RequestStream, method: string, idJson: string, { outcome }: Decided): void {
    const { open, logger } = this.#options;
    if (outcome.ok) return open.opened(stream.conversation, idJson);
    logger.info({ server: stream.permit.route.name, method, reason: outcome.failure.code }, 'a request of the server was refused');
    this.#answer(stream, refusalBody(outcome.failure, idJson)).catch((error: unknown) => {
      logger.warn({ err: error, server: stream.permit.route.name }, 'the server could not be told that its request was refused');
    });
  }

  /** Takes note of one request that needs no decision. */
  passed({ conversation }: RequestStream, idJson: string): void {
    this.#options.open.opened(conversation, idJson);
  }

  /** Whether an answer of the agent's is one that a server waits for. */
  isAwaited(conversation: Conversation, idJson: string): boolean {
    return this.#options.open.take(conversation, idJson);
  }

  async #answer({ exchange, permit, conversation, userToken }: RequestStream, body: string): Promise<void> {
    const { decider, upstreams } = this.#options;
    const question = { route: permit.route, method: HTTP_METHODS.clientResponse, target: '', params: new Uint8Array(), userToken };
    const { outcome } = decider.decideFromCache(question) ?? (await decider.decide(question));
    if (!outcome.ok) throw new Error(outcome.failure.reason);
    const headers = upstreamHeaders(
      exchange.request.headers,
      outcome.value.decision.obligations,
      undefined,
      conversation.sessionId || undefined,
      keepsCredential(permit.route),
    );
    headers['content-type'] = 'application/json';
    headers['accept'] = 'application/json, text/event-stream';
    await upstreams.send(outcome.value, headers, Buffer.from(body));
  }
}
