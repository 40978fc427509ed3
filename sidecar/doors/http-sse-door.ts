import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseJsonRpc } from '../../extauthz/api/json-rpc.ts';
import { HTTP_METHODS } from '../../extauthz/api/operation.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Clock } from '../clock.ts';
import { internalFault, type Refusal, rejected, unknownSession } from '../denial.ts';
import { type Exchange, openExchange } from '../exchange.ts';
import { type InnerCalls, partHeaders } from '../inner-calls.ts';
import { EventStreamReader } from '../mcp/sse.ts';
import { checkFields, readBody } from '../receive.ts';
import type { Recorder } from '../recorder.ts';
import { isEventStream } from '../relay.ts';
import { refuse } from '../rescue.ts';
import type { Routes } from '../routes.ts';
import { onOneLine } from '../stdio/line-reader.ts';
import type { MessageTelemetry } from '../telemetry/telemetry.ts';

export interface HttpSseDoorOptions {
  readonly routes: Routes;
  readonly innerCalls: InnerCalls;
  readonly maxBodyBytes: number;
  readonly telemetry: MessageTelemetry;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A client's stream, and the session that its messages belong to. */
interface Client {
  readonly server: string;
  readonly response: ServerResponse;
  readonly gone: AbortController;
  sessionId: string | undefined;
  isInitializing: boolean;
  isListening: boolean;
}

const MAX_CLIENTS = 1_000;
/** More than any answer may have, so that the limits on answers are what counts. */
const MAX_EVENT_BYTES = 268_435_456;
const KEEP_ALIVE = Buffer.from(':\n\n');
const STREAM_HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' };

/**
 * The HTTP+SSE transport (MCP 2024-11-05) as a client sees it: a stream at `/<server>/sse`, which names `/<server>/messages` to post to. There only is
 * one for servers that are registered with that transport. Each message goes the ordinary request path; what it is answered comes on the stream.
 */
export class HttpSseDoor {
  readonly #options: HttpSseDoorOptions;
  readonly #clients = new Map<string, Client>();

  constructor(options: HttpSseDoorOptions) {
    this.#options = options;
  }

  /** The server whose HTTP+SSE endpoint this request is for; undefined when it is for none. */
  serverOf({ url = '' }: IncomingMessage): string | undefined {
    const [, server] = /^\/([a-z0-9-]+)\/(?:sse|messages(?:\?.*)?)$/.exec(url) ?? [];
    return server !== undefined && this.#options.routes.named(server)?.usesHttpSse === true ? server : undefined;
  }

  /** What is refused here is recorded here; all else is recorded by the request path. */
  async handle(server: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { routes, clock, telemetry, recorder } = this.#options;
    const exchange = openExchange(request, response, clock.monotonicMs(), clock.unixMs());
    exchange.route = routes.named(server);
    const refusal = await this.#answer(server, exchange);
    if (refusal === undefined) return;
    const ending = refuse(exchange, refusal);
    recorder.add({ exchange, spans: telemetry.start(undefined, undefined), ending, endedAtMs: clock.monotonicMs() });
  }

  async #answer(server: string, exchange: Exchange): Promise<Refusal | undefined> {
    const { request } = exchange;
    const isStream = /\/sse$/.test(request.url ?? '');
    if (isStream) exchange.method = HTTP_METHODS.stream;
    const fields = checkFields(request);
    if (!fields.ok) return fields.failure;
    const method = isStream ? 'GET' : 'POST';
    if (request.method !== method) return { ...rejected('wrong_method', 405, `this endpoint takes ${method}`), allow: method };
    return isStream ? this.#open(server, exchange) : this.#take(server, exchange);
  }

  #open(server: string, { request, response }: Exchange): Refusal | undefined {
    if (this.#clients.size >= MAX_CLIENTS) return rejected('too_large', 503, 'too many streams are open');
    const id = randomBytes(32).toString('base64url');
    const client: Client = {
      server,
      response,
      gone: new AbortController(),
      sessionId: undefined,
      isInitializing: false,
      isListening: false,
    };
    this.#clients.set(id, client);
    response.on('close', () => {
      this.#clients.delete(id);
      client.gone.abort();
      this.#endSession(client, request);
    });
    response.writeHead(200, STREAM_HEAD);
    response.write(`event: endpoint\ndata: /${server}/messages?session=${id}\n\n`);
    return undefined;
  }

  async #take(server: string, exchange: Exchange): Promise<Refusal | undefined> {
    const { request, response } = exchange;
    const id = new URL(request.url ?? '', 'http://localhost').searchParams.get('session') ?? '';
    const client = this.#clients.get(id);
    if (client?.server !== server) return unknownSession();
    const body = await readBody(request, this.#options.maxBodyBytes);
    if (!body.ok) return body.failure;
    exchange.requestBytes = body.value.length;
    const parsed = parseJsonRpc(body.value);
    const isRequest = parsed.ok && parsed.value.kind === 'request';
    const opens = isRequest && parsed.value.method === 'initialize';
    // One stream has one session: a second one's answers could be taken for the first one's.
    if (opens && client.isInitializing) {
      exchange.method = parsed.value.method;
      return rejected('unknown_session', 400, 'the session is initialized already');
    }
    if (opens) client.isInitializing = true;
    try {
      const answer = await this.#options.innerCalls.call({
        method: 'POST',
        path: `/${server}/mcp`,
        headers: { ...this.#fields(client, request), accept: isRequest ? 'text/event-stream' : 'application/json, text/event-stream' },
        body: body.value,
        signal: client.gone.signal,
      });
      const status = answer.statusCode ?? 500;
      if (opens) {
        const sessionId = answer.headers['mcp-session-id'];
        if (typeof sessionId === 'string') client.sessionId = sessionId;
        else client.isInitializing = false;
      }
      if (status >= 400) {
        response.writeHead(status, { 'content-type': 'application/json' });
        answer.pipe(response);
        return undefined;
      }
      response.writeHead(202).end();
      await pump(answer, client.response);
      if (parsed.ok && parsed.value.kind === 'notification' && parsed.value.method === 'notifications/initialized')
        this.#listen(client, request);
    } catch (error) {
      if (client.gone.signal.aborted) {
        response.destroy();
        return undefined;
      }
      this.#options.logger.warn({ err: error, server }, 'an answer for an HTTP+SSE client broke off');
      // It has a record already.
      if (!response.headersSent) refuse(exchange, internalFault());
      // The client waits for an answer that will not come.
      client.response.destroy();
    }
    return undefined;
  }

  /** What belongs to no request comes on the session's own stream. */
  #listen(client: Client, request: IncomingMessage): void {
    if (client.isListening || client.sessionId === undefined) return;
    client.isListening = true;
    const { innerCalls, logger } = this.#options;
    const headers = { ...this.#fields(client, request), accept: 'text/event-stream' };
    innerCalls
      .call({ method: 'GET', path: `/${client.server}/mcp`, headers, signal: client.gone.signal })
      .then((answer) => {
        if (isEventStream(answer.headers)) return pump(answer, client.response).then(() => void client.response.end());
        answer.resume();
        return undefined;
      })
      .catch((error: unknown) => {
        if (!client.gone.signal.aborted) logger.warn({ err: error, server: client.server }, 'the stream of an HTTP+SSE client broke off');
        client.response.destroy();
      });
  }

  #endSession(client: Client, request: IncomingMessage): void {
    if (client.sessionId === undefined) return;
    const { innerCalls, logger } = this.#options;
    innerCalls
      .call({ method: 'DELETE', path: `/${client.server}/mcp`, headers: this.#fields(client, request) })
      .then((answer) => answer.resume())
      .catch((error: unknown) => logger.warn({ err: error, server: client.server }, 'a session could not be ended'));
  }

  #fields({ sessionId }: Client, request: IncomingMessage) {
    return { ...partHeaders(request), ...(sessionId !== undefined && { 'mcp-session-id': sessionId }) };
  }
}

/** Writes the messages of an answer as events, at the pace of who reads them. */
async function pump(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  const write = async (event: string | Buffer) => {
    if (response.destroyed || response.write(event)) return;
    await new Promise<void>((resolve) => {
      response.once('drain', resolve);
      response.once('close', resolve);
    });
  };
  if (!isEventStream(answer.headers)) {
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    if (chunks.length > 0) await write(`event: message\ndata: ${onOneLine(Buffer.concat(chunks))}\n\n`);
    return;
  }
  const reader = new EventStreamReader(MAX_EVENT_BYTES);
  for await (const chunk of answer) {
    for (const { data } of reader.push(chunk as Buffer).parts) {
      await write(data === undefined || data.length === 0 ? KEEP_ALIVE : `event: message\ndata: ${onOneLine(data)}\n\n`);
    }
  }
}
