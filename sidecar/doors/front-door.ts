import type { IncomingMessage, ServerResponse } from 'node:http';
import { HTTP_METHODS } from '../../extauthz/api/operation.ts';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { AuditSpool } from '../audit/spool.ts';
import type { Decider } from '../authz/decide.ts';
import type { SidecarConfig } from '../config.ts';
import { noDecision, type Refusal, rejected, unknownRoute } from '../denial.ts';
import { endpointTarget, type Views } from '../endpoints.ts';
import { type Ending, type Exchange, openExchange } from '../exchange.ts';
import { Door } from '../federation/door.ts';
import type { DoorOptions, Outcome } from '../federation/door-options.ts';
import type { Visit } from '../federation/visit.ts';
import { partHeaders } from '../inner-calls.ts';
import { isBatch } from '../mcp/batch.ts';
import { readMessage } from '../read-message.ts';
import { bearerToken, checkFields, readBody } from '../receive.ts';
import type { Recorder } from '../recorder.ts';
import { refuse, rescue } from '../rescue.ts';
import type { Routes } from '../routes.ts';
import type { MessageTelemetry } from '../telemetry/telemetry.ts';
import type { Batches } from './batches.ts';

export interface FrontDoorOptions extends Omit<DoorOptions, 'serverNames' | 'userOf' | 'maxListBytes'> {
  readonly config: SidecarConfig;
  readonly routes: Routes;
  readonly views: Views;
  readonly decider: Decider;
  readonly batches: Batches;
  readonly spool: AuditSpool;
  readonly telemetry: MessageTelemetry;
  readonly recorder: Recorder;
  readonly logger: Logger;
}

/**
 * The way in for messages to all servers (`/mcp`) and to a view of them (`/views/<name>/mcp`). They are received and read as strictly as any other;
 * then each part of them goes the way of the pipeline, where it is judged and recorded. Recorded here is what the endpoint answers or refuses by itself.
 */
export class FrontDoor {
  readonly #options: FrontDoorOptions;
  readonly #door: Door;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    const { routes, config } = options;
    this.#door = new Door({
      ...options,
      serverNames: () => routes.names,
      userOf: (exchange) => this.#userOf(exchange),
      maxListBytes: config.maxBodyBytes,
    });
  }

  /** Whether a request is for here. */
  serves({ url = '' }: IncomingMessage): boolean {
    return endpointTarget(url) !== undefined;
  }

  /** Handles one HTTP request. Never rejects: whatever goes wrong ends in a refusal and a record. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, logger } = this.#options;
    const exchange = openExchange(request, response, clock.monotonicMs(), clock.unixMs());
    let ending: Ending | undefined;
    try {
      ending = await this.#answer(exchange);
    } catch (error) {
      ending = rescue(error, exchange, logger);
    }
    if (ending !== undefined) this.#record(exchange, ending);
  }

  async #answer(exchange: Exchange): Promise<Ending | undefined> {
    const outcome = await this.#outcome(exchange);
    if (outcome === 'passed') return undefined;
    if (outcome !== 'answered') return refuse(exchange, outcome);
    const { response, refusal } = exchange;
    const rpcCode = refusal?.rpcCode ?? null;
    if (!response.headersSent) return { outcome: 'cancelled', httpStatus: null, rpcCode, responseBytes: 0 };
    return { outcome: refusal === undefined ? 'ok' : 'rejected', httpStatus: response.statusCode, rpcCode, responseBytes: 0 };
  }

  async #outcome(exchange: Exchange): Promise<Outcome> {
    const { request } = exchange;
    const { config, views, batches } = this.#options;
    const isMessage = request.method === 'POST';
    const body = await this.#receive(exchange, isMessage ? config.maxBodyBytes : 0);
    if (!body.ok) return body.failure;
    const version = request.headers['mcp-protocol-version'];
    if (isMessage && isBatch(body.value, typeof version === 'string' ? version : undefined))
      return (await batches.answer(exchange, body.value)) ?? 'passed';
    const target = endpointTarget(request.url ?? '');
    const endpoint = target && views.find(target);
    if (endpoint === undefined) return unknownRoute();
    const visit: Visit = { exchange, endpoint, headers: partHeaders(request), gone: goneOf(exchange) };
    switch (request.method) {
      case 'POST': {
        const inbound = readMessage(exchange, body.value);
        return inbound.ok ? this.#door.message({ ...visit, inbound: inbound.value, body: body.value }) : inbound.failure;
      }
      case 'GET':
        exchange.method = HTTP_METHODS.stream;
        return this.#door.stream(visit);
      case 'DELETE':
        exchange.method = HTTP_METHODS.endSession;
        return this.#door.endSession(visit);
      default:
        return { ...rejected('wrong_method', 405, 'an MCP endpoint takes POST, GET and DELETE'), allow: 'GET, POST, DELETE' };
    }
  }

  async #receive(exchange: Exchange, maxBodyBytes: number): Promise<Result<Buffer, Refusal>> {
    const fields = checkFields(exchange.request);
    if (!fields.ok) return fields;
    if (this.#options.spool.isFull)
      return fail({ ...noDecision('too many audit records are waiting for the policy service'), code: 'audit_backlog' });
    const body = await readBody(exchange.request, maxBodyBytes);
    if (body.ok) exchange.requestBytes = body.value.length;
    return body;
  }

  /** Some server says who it is: each verifies the same token, and one that lets the user connect is enough. */
  async #userOf(exchange: Exchange): Promise<Result<string, Refusal>> {
    const { routes, decider } = this.#options;
    const userToken = bearerToken(exchange.request, 'authorization');
    let refusal = noDecision('no server is registered that could tell who you are');
    for (const name of routes.names) {
      const route = routes.named(name);
      if (route === undefined) continue;
      const question = { route, method: HTTP_METHODS.stream, target: '', params: new Uint8Array(), userToken };
      const { outcome, decision, cached } = decider.decideFromCache(question) ?? (await decider.decide(question));
      exchange.decision = decision;
      exchange.cached = cached;
      const userId = decision?.principal?.user.id;
      if (outcome.ok && userId !== undefined) return ok(userId);
      if (!outcome.ok) refusal = outcome.failure;
      // No other server would say anything else.
      if (refusal.code === 'unauthenticated') break;
    }
    return fail(refusal);
  }

  #record(exchange: Exchange, ending: Ending): void {
    const { clock, telemetry, recorder } = this.#options;
    const endedAtMs = clock.monotonicMs();
    recorder.add({ exchange, spans: telemetry.start(undefined, undefined), ending, endedAtMs });
  }
}

function goneOf({ response }: Exchange): AbortController {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone;
}
