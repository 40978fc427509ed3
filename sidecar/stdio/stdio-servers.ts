import type { Result } from '../../extauthz/api/result.ts';
import type { StdioCommand } from '../../extauthz/api/stdio-command.ts';
import { type Refusal, refusalBody, rejected, unknownSession, upstreamFailed } from '../denial.ts';
import { type Era, eraOf } from '../mcp/protocol-version.ts';
import type { Permit } from '../permit.ts';
import type { AnswerHandler } from '../relay.ts';
import type { Route } from '../routes.ts';
import type { ServerLeg } from '../server-leg.ts';
import type { AllowedCommands } from './allowed-commands.ts';
import { AnswerStream, acceptedBy } from './answer-stream.ts';
import { type LineMessage, readLine, written } from './line-message.ts';
import type { RunningServer } from './running-server.ts';
import { type ProcessLimits, RunningServers } from './running-servers.ts';

export interface StdioServersOptions extends ProcessLimits {
  readonly allowed: AllowedCommands;
  /** A session id that cannot be guessed. */
  readonly newSessionId: () => string;
}

/**
 * The stdio servers of this pod, spoken to as if they served Streamable HTTP. A stdio server knows one client, so no two users and no two
 * legacy sessions ever share a process: each `initialize` starts one for its session, and the modern requests of one user share one.
 * Processes start when they are needed.
 */
export class StdioServers implements ServerLeg {
  readonly #options: StdioServersOptions;
  readonly #running: RunningServers;
  readonly #sessions = new Map<string, RunningServer>();
  readonly #shared = new Map<string, SharedServer>();

  constructor(options: StdioServersOptions) {
    this.#options = options;
    this.#running = new RunningServers(options, (server) => this.#forget(server));
  }

  /** Takes a POST. Answers like `Upstreams.forward`, so that one relay serves all legs. */
  post(permit: Permit, headers: Record<string, string>, body: Uint8Array, handler: AnswerHandler): void {
    this.#answering(permit, headers, handler, async (answer, userId, command) => {
      const read = readLine(body);
      // What the request path lets through can be read; anything else is a fault.
      if (!read.ok) throw new Error(`a judged message cannot be read: ${read.failure}`);
      const message = read.value;
      if (eraOfMessage(message, headers['mcp-protocol-version']) === 'modern')
        await this.#postModern(permit.route, userId, command, message, answer);
      else await this.#postLegacy(permit.route, userId, command, headers['mcp-session-id'], message, answer);
    });
  }

  /** Takes a GET, which opens a legacy session's stream, or a DELETE, which ends the session. */
  stream(permit: Permit, method: string | undefined, headers: Record<string, string>, handler: AnswerHandler): void {
    this.#answering(permit, headers, handler, async (answer, userId) => {
      const sessionId = headers['mcp-session-id'];
      if (sessionId === undefined) return answer.status(405, { allow: 'POST' });
      const server = this.#session(sessionId, permit.route, userId);
      if (server === undefined) return reject(answer, unknownSession(), undefined);
      server.touch();
      if (method === 'DELETE') {
        this.#sessions.delete(sessionId);
        answer.status(200);
        await server.stop('had its session ended');
      } else if (answer.canStream) server.conversation.openStream(answer);
      else answer.status(406);
    });
  }

  /** Ends processes whose server is no longer registered, or is now another. */
  reconcile(): void {
    this.#running.reconcile();
  }

  close(): Promise<void> {
    return this.#running.close();
  }

  #answering(
    { route, decision }: Permit,
    headers: Record<string, string>,
    handler: AnswerHandler,
    answerWith: (answer: AnswerStream, userId: string, command: StdioCommand) => Promise<void>,
  ): void {
    const answer = new AnswerStream(handler, acceptedBy(headers['accept']));
    const userId = decision.principal?.user.id;
    const refusal = this.#barred(route, userId);
    if (refusal !== undefined || userId === undefined || route.stdio === undefined) {
      return answer.fail(refusal ?? upstreamFailed('upstream_unreachable', 'there is no such server'));
    }
    answerWith(answer, userId, route.stdio).catch((error: unknown) => {
      this.#options.logger.error({ err: error, server: route.name }, 'fault in a stdio server’s leg');
      answer.fail(upstreamFailed('upstream_unreachable', `the server ${route.name} could not be used; the sidecar’s log has the details`));
    });
  }

  #barred({ name, stdio }: Route, userId: string | undefined): Refusal | undefined {
    // Without a verified user there is nobody to give a process to.
    if (userId === undefined || userId === '')
      return upstreamFailed('upstream_credential', `the server ${name} runs for verified users only`);
    if (stdio === undefined || this.#options.allowed.has(stdio.command)) return undefined;
    this.#options.logger.warn({ server: name, command: stdio.command }, 'SIDEGATE_STDIO_COMMANDS does not allow this command');
    return upstreamFailed(
      'upstream_unreachable',
      `the server ${name} is a command that the operator of this pod has not allowed the sidecar to start`,
    );
  }

  async #postModern(route: Route, userId: string, command: StdioCommand, message: LineMessage, answer: AnswerStream): Promise<void> {
    // Streamable HTTP of 2026-07-28 has no notifications from the client: it cancels by going away. On a shared process they could mean another's call.
    if (message.kind !== 'request') return answer.status(202);
    const server = await this.#sharedServer(route, userId, command);
    if (!server.ok) return answer.fail(server.failure);
    server.value.touch();
    server.value.conversation.request(message, answer, () => server.value.touch());
  }

  async #postLegacy(
    route: Route,
    userId: string,
    command: StdioCommand,
    sessionId: string | undefined,
    message: LineMessage,
    answer: AnswerStream,
  ): Promise<void> {
    const opens = message.kind === 'request' && message.method === 'initialize';
    if (sessionId === undefined && opens) return this.#openSession(route, userId, command, message, answer);
    if (sessionId === undefined) return reject(answer, rejected('unknown_session', 400, 'the Mcp-Session-Id header is missing'), message);
    const server = this.#session(sessionId, route, userId);
    if (server === undefined) return reject(answer, unknownSession(), message);
    if (opens) return reject(answer, rejected('unknown_session', 400, 'the session is initialized already'), message);
    server.touch();
    if (message.kind === 'request') return server.conversation.request(message, answer, () => server.touch());
    server.conversation.forward(message);
    answer.status(202);
  }

  async #openSession(route: Route, userId: string, command: StdioCommand, message: LineMessage, answer: AnswerStream): Promise<void> {
    const started = await this.#running.start(route, userId, command, 'legacy');
    if (!started.ok) return answer.fail(started.failure);
    const server = started.value;
    server.conversation.request(message, answer, (isResult) => {
      if (!isResult) return this.#running.stop(server, 'was not initialized');
      const sessionId = this.#options.newSessionId();
      server.sessionId = sessionId;
      this.#sessions.set(sessionId, server);
      answer.setField('mcp-session-id', sessionId);
    });
  }

  /** Somebody else's session is one that does not exist. */
  #session(sessionId: string, route: Route, userId: string): RunningServer | undefined {
    const server = this.#sessions.get(sessionId);
    return server?.route.name === route.name && server.userId === userId && !server.isStopping ? server : undefined;
  }

  #sharedServer(route: Route, userId: string, command: StdioCommand): Promise<Result<RunningServer, Refusal>> {
    const key = keyOf(route.name, userId);
    const known = this.#shared.get(key);
    if (known !== undefined) return known.started;
    const shared: SharedServer = {
      started: this.#running.start(route, userId, command, 'modern').then((started) => {
        if (!started.ok || !this.#running.has(started.value)) this.#shared.delete(key);
        else shared.server = started.value;
        return started;
      }),
      server: undefined,
    };
    this.#shared.set(key, shared);
    return shared.started;
  }

  /** New messages no longer go there. */
  #forget(server: RunningServer): void {
    if (server.sessionId !== undefined) this.#sessions.delete(server.sessionId);
    const key = keyOf(server.route.name, server.userId);
    // Its successor may run already.
    if (this.#shared.get(key)?.server === server) this.#shared.delete(key);
  }
}

/** The process of one user's modern requests, from the moment its start begins. */
interface SharedServer {
  readonly started: Promise<Result<RunningServer, Refusal>>;
  server: RunningServer | undefined;
}

function reject(answer: AnswerStream, refusal: Refusal, message: LineMessage | undefined): void {
  const id = message?.kind === 'request' && message.id !== undefined ? written(message, message.id) : undefined;
  answer.finish(Buffer.from(refusalBody(refusal, id)), refusal.httpStatus);
}

/** A session's messages are legacy, and a modern request says what it is. The two never share a process, so a wrong guess reaches nobody else. */
function eraOfMessage({ kind, method, claimsModern }: LineMessage, versionField: string | undefined): Era {
  if (kind === 'response' || method === 'initialize') return 'legacy';
  if (kind === 'request') return claimsModern ? 'modern' : 'legacy';
  return versionField !== undefined && eraOf(versionField) === 'modern' ? 'modern' : 'legacy';
}

function keyOf(server: string, userId: string): string {
  return `${server}/${userId}`;
}
