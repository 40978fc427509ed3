import type { IncomingMessage, ServerResponse } from 'node:http';
import { HTTP_METHODS } from '../extauthz/api/operation.ts';
import { fail, ok, type Result } from '../extauthz/api/result.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Admission, fieldText } from './admission.ts';
import type { Admitted } from './admitted.ts';
import type { Answers } from './answers/answers.ts';
import type { AuditSpool } from './audit/spool.ts';
import type { Clock } from './clock.ts';
import type { SidecarConfig } from './config.ts';
import { noDecision, type Refusal, rejected, unknownRoute } from './denial.ts';
import type { Batches } from './doors/batches.ts';
import { type Ending, type Exchange, openExchange } from './exchange.ts';
import { type ListChanges, subscribedKinds } from './list-changes.ts';
import { isBatch } from './mcp/batch.ts';
import { FILTERED_LISTS } from './mcp/list-filter.ts';
import { type InboundMessage, withTraceparent } from './mcp/message.ts';
import { readMessage } from './read-message.ts';
import { checkFields, readBody } from './receive.ts';
import type { Recorder } from './recorder.ts';
import type { Relay } from './relay.ts';
import { refuse, rescue } from './rescue.ts';
import { keepsCredential, type Route, type Routes } from './routes.ts';
import type { Tasks } from './tasks/tasks.ts';
import type { MessageSpans } from './telemetry/message-spans.ts';
import type { MessageTelemetry } from './telemetry/telemetry.ts';
import type { Upstreams } from './upstream/forward.ts';
import { upstreamHeaders } from './upstream/headers.ts';
import type { PassThrough } from './upstream/pass-through.ts';

export interface PipelineOptions {
  readonly config: SidecarConfig;
  readonly routes: Routes;
  readonly admission: Admission;
  readonly tasks: Tasks;
  readonly upstreams: Upstreams;
  readonly passThrough: PassThrough;
  readonly listChanges: ListChanges;
  readonly answers: Answers;
  readonly batches: Batches;
  readonly spool: AuditSpool;
  readonly telemetry: MessageTelemetry;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The agent went away before anything was forwarded. */
const GONE: Ending = { outcome: 'cancelled', httpStatus: null, rpcCode: null, responseBytes: 0 };

/**
 * The request path, in order. Each step either hands on what the next one needs or refuses the message:
 *
 * 1. receive: who may talk to this port at all, and how much of it
 * 2. route: which server is meant
 * 3. parse: what the message says, read the one way in which everybody will read it
 * 4. decide: whether this user may send it; the only source of a permit
 * 5. forward: to the server, with the user's credential; takes nothing but a permit
 * 6. relay: the answer, without what the user may not see
 * 7. record: one audit record and one span pair, however it ended
 */
export class Pipeline {
  readonly #options: PipelineOptions;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /** Handles one HTTP request. Never rejects: whatever goes wrong ends in a refusal and a record. A batch is recorded message by message. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, logger } = this.#options;
    const exchange = openExchange(request, response, clock.monotonicMs(), clock.unixMs());
    const state: { spans: MessageSpans | undefined } = { spans: undefined };
    let ending: Ending | undefined;
    try {
      ending = await this.#answer(exchange, state);
    } catch (error) {
      ending = rescue(error, exchange, logger);
    }
    if (ending !== undefined) this.#record(exchange, state.spans, ending);
  }

  #answer(exchange: Exchange, state: { spans: MessageSpans | undefined }): Promise<Ending | undefined> {
    switch (exchange.request.method) {
      case 'POST':
        return this.#message(exchange, state);
      case 'GET':
        return this.#stream(exchange, state, HTTP_METHODS.stream);
      case 'DELETE':
        return this.#stream(exchange, state, HTTP_METHODS.endSession);
      default: {
        const refusal = { ...rejected('wrong_method', 405, 'an MCP endpoint takes POST, GET and DELETE'), allow: 'GET, POST, DELETE' };
        return Promise.resolve(refuse(exchange, refusal));
      }
    }
  }

  /** A POST: one JSON-RPC message and its answer. */
  async #message(exchange: Exchange, state: { spans: MessageSpans | undefined }): Promise<Ending | undefined> {
    const { request } = exchange;
    const { config, admission, telemetry } = this.#options;
    const body = await this.#receive(exchange, config.maxBodyBytes);
    if (!body.ok) return refuse(exchange, body.failure);
    exchange.requestBytes = body.value.length;
    if (isBatch(body.value, fieldText(request, 'mcp-protocol-version'))) {
      const refusal = await this.#options.batches.answer(exchange, body.value);
      return refusal && refuse(exchange, refusal);
    }
    const route = this.#route(exchange);
    if (!route.ok) return refuse(exchange, route.failure);
    const parsed = readMessage(exchange, body.value);
    if (!parsed.ok) return refuse(exchange, parsed.failure);
    const inbound = parsed.value;

    const traceparent = inbound.message.kind === 'response' ? undefined : inbound.message.meta?.['traceparent'];
    const spans = telemetry.start(typeof traceparent === 'string' ? traceparent : undefined, fieldText(request, 'traceparent'));
    state.spans = spans;

    const admitting = admission.admit({ exchange, route: route.value, era: inbound.era, spans });
    const admitted = admitting instanceof Promise ? await admitting : admitting;
    if (!admitted.ok) return refuse(exchange, admitted.failure);
    const fault = admission.fault(admitted.value, inbound.message, body.value);
    if (fault !== undefined) return refuse(exchange, fault);
    if (exchange.response.destroyed) return GONE;
    return this.#forward(admitted.value, inbound, body.value);
  }

  /** A GET or DELETE without a JSON-RPC request of the agent's own: of the revisions with sessions, or for a document about the server. */
  async #stream(exchange: Exchange, state: { spans: MessageSpans | undefined }, method: string): Promise<Ending> {
    const { request, response } = exchange;
    const { admission, telemetry, passThrough, clock } = this.#options;
    exchange.method = method;
    const received = await this.#receive(exchange, 0);
    if (!received.ok) return refuse(exchange, received.failure);
    const route = this.#route(exchange);
    if (!route.ok) return refuse(exchange, route.failure);
    if (route.value.isMetadata === true) exchange.method = HTTP_METHODS.resourceMetadata;
    const spans = telemetry.start(undefined, fieldText(request, 'traceparent'));
    state.spans = spans;
    const admitted = await admission.admit({ exchange, route: route.value, era: 'legacy', spans });
    if (!admitted.ok) return refuse(exchange, admitted.failure);

    if (exchange.response.destroyed) return GONE;
    const { permit } = admitted.value;
    const headers = this.#upstreamHeaders(admitted.value, telemetry.forward(spans));
    const relay = this.#streamRelay(admitted.value);
    exchange.forwardedAtMs = clock.monotonicMs();
    passThrough.forward(permit, headers, request, response, relay);
    return relay.ending;
  }

  #streamRelay(admitted: Admitted): Relay {
    const { answers, listChanges } = this.#options;
    const { method, request } = admitted.exchange;
    if (method === HTTP_METHODS.resourceMetadata) return answers.document(admitted);
    const isStream = method === HTTP_METHODS.stream;
    const announces = isStream ? listChanges.advertised(fieldText(request, 'mcp-session-id') ?? '') : [];
    return answers.relay(admitted, { cancelOnDisconnect: true, hasBody: isStream, list: undefined, announces });
  }

  #receive({ request }: Exchange, maxBodyBytes: number): Result<never, Refusal> | Promise<Result<Buffer, Refusal>> {
    const fields = checkFields(request);
    if (!fields.ok) return fields;
    // Without room for its record a message would go through unaudited.
    if (this.#options.spool.isFull)
      return fail({ ...noDecision('too many audit records are waiting for the policy service'), code: 'audit_backlog' });
    return readBody(request, maxBodyBytes);
  }

  #route(exchange: Exchange): Result<Route, Refusal> {
    const { routes } = this.#options;
    const path = exchange.request.url ?? '';
    const route = routes.find(path);
    if (route === undefined) return fail(unknownRoute());
    exchange.route = route;
    if (route.isMetadata === true && exchange.request.method !== 'GET')
      return fail({ ...rejected('wrong_method', 405, 'a document is taken with GET'), allow: 'GET' });
    return ok(route);
  }

  #forward(admitted: Admitted, { message }: InboundMessage, body: Buffer): Promise<Ending> {
    const { telemetry, upstreams, tasks, clock } = this.#options;
    const { exchange, permit, era, spans } = admitted;
    if (message.kind === 'request') tasks.called(admitted, message.params);
    const isList = message.kind === 'request' && FILTERED_LISTS.has(message.method);
    const relay = this.#options.answers.relay(admitted, {
      cancelOnDisconnect: era === 'modern',
      hasBody: true,
      list: isList ? exchange.method : undefined,
      cursor: isList ? message.params?.['cursor'] : undefined,
      announces:
        exchange.method === 'subscriptions/listen'
          ? subscribedKinds(message.kind === 'response' ? undefined : message.params?.['notifications'])
          : [],
    });
    const traceparent = telemetry.forward(spans);
    const judged = message.kind === 'response' ? body : withTraceparent(body, message, traceparent);
    exchange.forwardedAtMs = clock.monotonicMs();
    upstreams.forward(permit, this.#upstreamHeaders(admitted, traceparent), judged, relay);
    return relay.ending;
  }

  #upstreamHeaders({ exchange, permit, sessionId }: Admitted, traceparent: string): Record<string, string> {
    const { route, decision } = permit;
    return upstreamHeaders(exchange.request.headers, decision.obligations, traceparent, sessionId, keepsCredential(route));
  }

  #record(exchange: Exchange, spans: MessageSpans | undefined, ending: Ending): void {
    const { clock, telemetry, recorder } = this.#options;
    recorder.add({ exchange, spans: spans ?? telemetry.start(undefined, undefined), ending, endedAtMs: clock.monotonicMs() });
  }
}
