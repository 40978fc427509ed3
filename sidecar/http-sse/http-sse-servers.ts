import type { Logger } from '../../runtime/logger.ts';
import type { Clock } from '../clock.ts';
import { type Refusal, refusalBody, rejected, unknownSession, upstreamFailed } from '../denial.ts';
import type { Permit } from '../permit.ts';
import type { AnswerHandler } from '../relay.ts';
import type { Route } from '../routes.ts';
import type { ServerLeg } from '../server-leg.ts';
import { AnswerStream, acceptedBy } from '../stdio/answer-stream.ts';
import { Conversation } from '../stdio/conversation.ts';
import { type LineMessage, readLine, written } from '../stdio/line-message.ts';
import { type Dispatch, SseConnection } from './sse-connection.ts';

export interface HttpSseServersOptions {
  readonly dispatch: Dispatch;
  /** The registered server of this name, as of now. */
  readonly routeOf: (name: string) => Route | undefined;
  readonly maxMessageBytes: number;
  /** Time that a server gets to open its stream and to begin an answer. */
  readonly answerTimeoutMs: number;
  /** Time after which a session that nobody uses is ended. */
  readonly idleMs: number;
  readonly clock: Clock;
  /** A session id that cannot be guessed. */
  readonly newSessionId: () => string;
  readonly logger: Logger;
}

/** Each session holds a connection open. */
const MAX_SESSIONS = 1_000;
const MAX_SWEEP_MS = 30_000;

interface Session {
  readonly id: string;
  readonly route: Route;
  readonly userId: string;
  readonly connection: SseConnection;
  readonly conversation: Conversation;
  lastUsedMs: number;
}

/**
 * Servers of the deprecated HTTP+SSE transport (MCP 2024-11-05), spoken to as if they served Streamable HTTP. Each session has a connection of its
 * own, opened with the credential of the user who began it.
 */
export class HttpSseServers implements ServerLeg {
  readonly #options: HttpSseServersOptions;
  /** Those that began and those that are about to; by id. */
  readonly #sessions = new Map<string, Session>();
  readonly #sweep: NodeJS.Timeout;

  constructor(options: HttpSseServersOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#endIdle(), Math.min(options.idleMs / 2, MAX_SWEEP_MS)).unref();
  }

  /** Takes a POST. Answers like `Upstreams.forward`, so that one relay serves all legs. */
  post(permit: Permit, headers: Record<string, string>, body: Uint8Array, handler: AnswerHandler): void {
    this.#answering(permit, headers, handler, async (answer, userId) => {
      const read = readLine(body);
      // What the request path lets through can be read; anything else is a fault.
      if (!read.ok) throw new Error(`a judged message cannot be read: ${read.failure}`);
      const message = read.value;
      const opens = message.kind === 'request' && message.method === 'initialize';
      const id = headers['mcp-session-id'];
      // A client that speaks both eras takes this for a legacy server's answer, and initializes.
      if (message.claimsModern && !opens)
        return reject(answer, rejected('malformed', 400, 'the server speaks MCP 2024-11-05: initialize first'), message);
      if (id === undefined && opens) return this.#open(permit.route, userId, headers, message, answer);
      if (id === undefined) return reject(answer, rejected('unknown_session', 400, 'the Mcp-Session-Id header is missing'), message);
      const session = this.#session(id, permit.route, userId);
      if (session === undefined) return reject(answer, unknownSession(), message);
      if (opens) return reject(answer, rejected('unknown_session', 400, 'the session is initialized already'), message);
      await this.#say(session, headers, message, answer);
    });
  }

  /** Takes a GET, which opens a session's stream, or a DELETE, which ends the session. */
  stream(permit: Permit, method: string | undefined, headers: Record<string, string>, handler: AnswerHandler): void {
    this.#answering(permit, headers, handler, async (answer, userId) => {
      const id = headers['mcp-session-id'];
      if (id === undefined) return answer.status(405, { allow: 'POST' });
      const session = this.#session(id, permit.route, userId);
      if (session === undefined) return reject(answer, unknownSession(), undefined);
      this.#touch(session);
      if (method === 'DELETE') {
        answer.status(200);
        session.connection.close('was ended with its session');
      } else if (answer.canStream) session.conversation.openStream(answer);
      else answer.status(406);
    });
  }

  /** Ends sessions whose server is no longer registered, or is now another. */
  reconcile(): void {
    for (const { route, connection } of this.#sessions.values()) {
      const now = this.#options.routeOf(route.name);
      if (now?.usesHttpSse !== true || now.url.href !== route.url.href)
        connection.close('was closed: it is no longer registered as it was');
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const { connection } of this.#sessions.values()) connection.close('was closed with the sidecar');
  }

  #answering(
    { route, decision }: Permit,
    headers: Record<string, string>,
    handler: AnswerHandler,
    answerWith: (answer: AnswerStream, userId: string) => Promise<void>,
  ): void {
    const answer = new AnswerStream(handler, acceptedBy(headers['accept']));
    const userId = decision.principal?.user.id ?? '';
    // Sessions belong to somebody.
    if (userId === '') return answer.fail(upstreamFailed('upstream_credential', `the server ${route.name} is for verified users only`));
    answerWith(answer, userId).catch((error: unknown) => {
      this.#options.logger.error({ err: error, server: route.name }, 'fault in the leg of an HTTP+SSE server');
      answer.fail(upstreamFailed('upstream_unreachable', `the server ${route.name} could not be used; the sidecar’s log has the details`));
    });
  }

  async #say(session: Session, headers: Record<string, string>, message: LineMessage, answer: AnswerStream): Promise<void> {
    const { connection, conversation, route } = session;
    this.#touch(session);
    connection.use(headers);
    if (message.kind === 'request') {
      conversation.request(message, answer, () => this.#touch(session));
      // A client that can take nothing but events has a stream to wait on.
      if (!acceptedBy(headers['accept']).json && answer.canStream) answer.openStream();
      return;
    }
    if (message.method === 'notifications/cancelled') conversation.forward(message);
    else {
      const accepted = await connection.post(message.bytes).then(
        () => undefined,
        (error: Error) => upstreamFailed('upstream_unreachable', `the server ${route.name} ${error.message}`),
      );
      if (accepted !== undefined) return answer.fail(accepted);
    }
    answer.status(202);
  }

  async #open(route: Route, userId: string, headers: Record<string, string>, message: LineMessage, answer: AnswerStream): Promise<void> {
    if (this.#sessions.size >= MAX_SESSIONS)
      return answer.fail(upstreamFailed('upstream_unreachable', `${MAX_SESSIONS} sessions of HTTP+SSE servers are open already`));
    const session = this.#connect(route, userId, headers, (refusal) => answer.fail(refusal));
    const { connection, conversation } = session;
    const timer = setTimeout(() => connection.close('was not opened in time'), this.#options.answerTimeoutMs);
    answer.onAbort = () => connection.close('was not waited for');
    const isReady = await connection.ready.then(() => true).catch(() => false);
    clearTimeout(timer);
    // Whoever waits was told by the end of the connection.
    if (!isReady) return;
    conversation.request(message, answer, (isResult) => {
      if (isResult) answer.setField('mcp-session-id', session.id);
      else connection.close('was closed: it was not initialized');
    });
  }

  #connect(route: Route, userId: string, headers: Record<string, string>, onFailed: (refusal: Refusal) => void): Session {
    const { dispatch, maxMessageBytes, answerTimeoutMs, clock, newSessionId, logger } = this.#options;
    const id = newSessionId();
    const connection: SseConnection = new SseConnection({
      server: route.name,
      url: route.url,
      headers,
      dispatch,
      maxMessageBytes,
      onMessage: (text) => conversation.take(text),
      onUndelivered: (text, why) => conversation.undelivered(text, why),
      onEnd: (refusal) => {
        this.#sessions.delete(id);
        logger.info({ server: route.name, user: userId, reason: refusal.reason }, 'connection to an HTTP+SSE server ended');
        conversation.end(refusal);
        onFailed(refusal);
      },
    });
    const conversation = new Conversation(connection, {
      server: route.name,
      era: 'legacy',
      maxLineBytes: maxMessageBytes,
      answerTimeoutMs,
      logger,
    });
    const session = { id, route, userId, connection, conversation, lastUsedMs: clock.monotonicMs() };
    this.#sessions.set(id, session);
    return session;
  }

  /** Somebody else's session is one that does not exist. */
  #session(id: string, route: Route, userId: string): Session | undefined {
    const session = this.#sessions.get(id);
    return session?.route.name === route.name && session.userId === userId ? session : undefined;
  }

  #touch(session: Session): void {
    session.lastUsedMs = this.#options.clock.monotonicMs();
  }

  #endIdle(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const { conversation, connection, lastUsedMs } of this.#sessions.values()) {
      if (!conversation.isBusy && nowMs - lastUsedMs >= this.#options.idleMs) connection.close('was closed: it was not used');
    }
  }
}

function reject(answer: AnswerStream, refusal: Refusal, message: LineMessage | undefined): void {
  const id = message?.kind === 'request' && message.id !== undefined ? written(message, message.id) : undefined;
  answer.finish(Buffer.from(refusalBody(refusal, id)), refusal.httpStatus);
}
