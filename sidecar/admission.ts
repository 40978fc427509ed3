import type { IncomingMessage } from 'node:http';
import type { JsonRpcMessage } from '../extauthz/api/json-rpc.ts';
import { fail, ok, type Result } from '../extauthz/api/result.ts';
import { type Admitted, conversationOf, ownerOf } from './admitted.ts';
import type { Decider, Question } from './authz/decide.ts';
import type { Clock } from './clock.ts';
import { foreignState, type Refusal, rejected, unknownSession } from './denial.ts';
import type { Exchange } from './exchange.ts';
import type { Era } from './mcp/protocol-version.ts';
import type { Permit } from './permit.ts';
import type { RequestStates } from './request-states.ts';
import type { Route } from './routes.ts';
import type { ServerRequests } from './server-requests.ts';
import type { SessionSeal } from './session-seal.ts';
import { isAboutTasks, type TaskDecided, type Tasks } from './tasks/tasks.ts';
import type { MessageSpans } from './telemetry/message-spans.ts';
import type { ToolSchemas } from './tool-schemas.ts';
import { userProof } from './user-proof.ts';

export interface AdmissionOptions {
  readonly decider: Decider;
  readonly tasks: Tasks;
  readonly requestStates: RequestStates;
  readonly toolSchemas: ToolSchemas;
  readonly sessions: SessionSeal;
  readonly serverRequests: ServerRequests;
  readonly clock: Clock;
}

/** What goes on to a server, and what is known about it by then. */
export interface Arrival {
  readonly exchange: Exchange;
  readonly route: Route;
  readonly era: Era;
  readonly spans: MessageSpans;
}

/** Says whether a message that was read may go to its server: policy's decision, and what only earlier messages can tell. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Decides, and finds the session that the message belongs to; at once when the decision is known. */
  admit(arrival: Arrival): Result<Admitted, Refusal> | Promise<Result<Admitted, Refusal>> {
    const { exchange, route } = arrival;
    const proof = userProof(exchange.request, route);
    if (!proof.ok) return proof;
    const userToken = proof.value;
    const permit = this.#decide(exchange, route, userToken);
    return permit instanceof Promise
      ? permit.then((late) => this.#admitted(arrival, late, userToken))
      : this.#admitted(arrival, permit, userToken);
  }

  /**
   * What earlier messages tell about this one: whether its answer is awaited, whom its state was given to, and which fields repeat its arguments.
   * @param body the bytes that the message was read from
   */
  fault(admitted: Admitted, message: JsonRpcMessage, body: Buffer): Refusal | undefined {
    const { serverRequests, requestStates, toolSchemas } = this.#options;
    switch (message.kind) {
      case 'notification':
        return undefined;
      case 'response': {
        // An answer of the agent's goes only to a request that was let through, once.
        const idJson = body.toString('utf8', message.idSpan.start, message.idSpan.end);
        if (serverRequests.isAwaited(conversationOf(admitted), idJson)) return undefined;
        return rejected('malformed', 400, 'no request of the server waits for this answer');
      }
      case 'request': {
        const { params } = message;
        return requestStates.isForeign(admitted, params) ? foreignState() : toolSchemas.mismatch(admitted, params?.['arguments']);
      }
    }
  }

  #admitted({ exchange, era, spans }: Arrival, permit: Result<Permit, Refusal>, userToken: string): Result<Admitted, Refusal> {
    if (!permit.ok) return permit;
    // Modern requests have no session: what the agent sends is dropped, and a server gets to name none.
    const session = era === 'modern' ? ok(undefined) : this.#session(exchange, permit.value);
    if (!session.ok) return session;
    return ok({ exchange, permit: permit.value, userToken, sessionId: session.value, era, spans });
  }

  #decide(exchange: Exchange, route: Route, userToken: string): Result<Permit, Refusal> | Promise<Result<Permit, Refusal>> {
    const { decider, tasks } = this.#options;
    const { method, target, params } = exchange;
    const question: Question = { route, method, target, params, userToken };
    if (isAboutTasks(method)) return this.#ask(exchange, question, tasks);
    const known = decider.decideFromCache(question);
    if (known === undefined) return this.#ask(exchange, question, decider);
    exchange.decision = known.decision;
    exchange.cached = known.cached;
    return known.outcome;
  }

  async #ask(exchange: Exchange, question: Question, decides: Decider | Tasks): Promise<Result<Permit, Refusal>> {
    const { clock } = this.#options;
    const askedAtMs = clock.monotonicMs();
    const decided: TaskDecided = await decides.decide(question);
    exchange.decisionMs = clock.monotonicMs() - askedAtMs;
    exchange.decision = decided.decision;
    exchange.cached = decided.cached;
    if (decided.tool !== undefined) exchange.target = decided.tool;
    return decided.outcome;
  }

  /** The server's session id behind the one that the agent holds. Somebody else's session is one that does not exist. */
  #session({ request }: Exchange, permit: Permit): Result<string | undefined, Refusal> {
    const sealed = fieldText(request, 'mcp-session-id');
    if (sealed === undefined) return ok(undefined);
    const sessionId = this.#options.sessions.open(ownerOf(permit), sealed);
    return sessionId === undefined ? fail(unknownSession()) : ok(sessionId);
  }
}

/** A request field that was sent once; undefined otherwise. */
export function fieldText({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}
