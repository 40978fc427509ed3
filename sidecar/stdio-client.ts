import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonRpcMessage } from '../extauthz/api/json-rpc.ts';
import { parseJsonRpc } from '../extauthz/api/json-rpc.ts';
import { rpcCodeOf } from '../extauthz/api/json-rpc-fault.ts';
import { eraOf } from './mcp/protocol-version.ts';
import { EventStreamReader } from './mcp/sse.ts';
import { encodeHeaderValue, nameParameter } from './mcp/standard-headers.ts';
import { onOneLine } from './stdio/line-reader.ts';

/** One HTTP request to the sidecar's endpoint. */
export interface HttpRequest {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
}

export interface StdioClientOptions {
  /** Sends a request, and settles when the head of its answer is there. */
  readonly send: (request: HttpRequest) => Promise<HttpAnswer>;
  /** The user's token as of now; undefined for none. */
  readonly userToken: () => string | undefined;
  /** Writes one message, which holds no line end. */
  readonly write: (message: Uint8Array) => void;
  /** Tells the user what the protocol has no place for. */
  readonly complain: (text: string) => void;
  /** Called when the server's session has ended, and with it all that this process is for. */
  readonly onSessionEnd: () => void;
}

const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
const INTERNAL_ERROR = -32603;
const DEFAULT_RETRY_MS = 1_000;
const MAX_EVENT_BYTES = 268_435_456;

/** Serves a client that speaks MCP over stdio from an endpoint that serves it over Streamable HTTP. */
export class StdioClient {
  readonly #options: StdioClientOptions;
  readonly #stopping = new AbortController();
  /** Modern requests by id: cancelling one means to close its connection. */
  readonly #modernCalls = new Map<string | number, AbortController>();
  /** Open requests, and the method of each. */
  readonly #calls = new Map<Promise<void>, string>();
  #sessionId: string | undefined;
  #protocolVersion: string | undefined;
  #isListening = false;

  constructor(options: StdioClientOptions) {
    this.#options = options;
  }

  /** Takes one line of the client. Settles when the next one may follow: messages arrive in the order in which they were sent. */
  async take(line: Uint8Array): Promise<void> {
    const parsed = parseJsonRpc(line);
    if (!parsed.ok) {
      const { kind, detail, idSpan } = parsed.failure;
      const id = idSpan === undefined ? 'null' : textOf(line, idSpan.start, idSpan.end);
      return this.#answerError(id, rpcCodeOf(kind), detail);
    }
    const message = parsed.value;
    if (message.kind !== 'request') return this.#tell(message, line);
    const call = this.#call(message, line);
    this.#calls.set(call, message.method);
    void call.finally(() => this.#calls.delete(call));
    // Nothing may overtake the handshake, which says how to go on.
    if (message.method === 'initialize') await call;
  }

  /** Settles when no request waits for its answer any more, or the time is over. A subscription is not waited for: it ends with its client. */
  async answered(withinMs: number): Promise<void> {
    const waiting = [...this.#calls].filter(([, method]) => method !== 'subscriptions/listen').map(([call]) => call);
    const timeIsOver = new AbortController();
    await Promise.race([Promise.allSettled(waiting), pause(withinMs, timeIsOver.signal)]);
    timeIsOver.abort();
  }

  /** Ends the session. Calls that are still open get no answer: their client has gone. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#calls.keys());
    if (this.#sessionId === undefined) return;
    const signal = AbortSignal.timeout(2_000);
    const answer = await this.#options.send({ method: 'DELETE', headers: this.#fields(), signal }).catch(() => undefined);
    answer?.body.resume();
  }

  async #call(message: JsonRpcMessage & { kind: 'request' }, line: Uint8Array): Promise<void> {
    const id = textOf(line, message.idSpan.start, message.idSpan.end);
    const cancel = new AbortController();
    if (isModern(message)) this.#modernCalls.set(message.id, cancel);
    const signal = AbortSignal.any([cancel.signal, this.#stopping.signal]);
    try {
      const answer = await this.#options.send({ method: 'POST', headers: this.#postFields(message), body: line, signal });
      const session = answer.headers['mcp-session-id'];
      if (message.method === 'initialize' && typeof session === 'string') this.#sessionId = session;
      const isAnswered = await this.#pass(answer, message, id, signal);
      if (!isAnswered && !signal.aborted) this.#answerError(id, INTERNAL_ERROR, 'the connection ended before the answer');
    } catch (error) {
      if (!signal.aborted) this.#answerError(id, INTERNAL_ERROR, `the sidecar could not be reached: ${(error as Error).message}`);
    } finally {
      this.#modernCalls.delete(message.id);
    }
  }

  /** Passes an answer on. False when it ended without the response. */
  async #pass(answer: HttpAnswer, message: JsonRpcMessage & { kind: 'request' }, id: string, signal: AbortSignal): Promise<boolean> {
    if (isEventStream(answer)) {
      const end = await this.#readStream(answer.body, message);
      if (end.isAnswered || end.lastEventId === undefined || this.#sessionId === undefined) return end.isAnswered;
      return this.#resume(end, message, signal);
    }
    const body = await bytesOf(answer.body);
    const parsed = parseJsonRpc(body);
    const isResponse = parsed.ok && parsed.value.kind === 'response';
    if (isResponse) this.#deliver(body, message);
    else this.#answerError(id, INTERNAL_ERROR, reasonIn(body) ?? `the sidecar answered with HTTP status ${answer.status}`);
    if (answer.status === 404 && this.#sessionId !== undefined && !isModern(message)) this.#endSession();
    return true;
  }

  /** Asks for the rest of an answer whose stream the server closed, to keep no connection open (2025-11-25, Resumability). */
  async #resume(from: StreamEnd, message: JsonRpcMessage & { kind: 'request' }, signal: AbortSignal): Promise<boolean> {
    for (let end = from; end.lastEventId !== undefined; ) {
      await pause(end.retryMs, signal);
      const headers = { ...this.#fields(), accept: 'text/event-stream', 'last-event-id': end.lastEventId };
      const answer = await this.#options.send({ method: 'GET', headers, signal });
      if (!isEventStream(answer)) {
        answer.body.resume();
        return false;
      }
      end = { ...end, ...(await this.#readStream(answer.body, message)) };
      if (end.isAnswered) return true;
    }
    return false;
  }

  /** A notification or a response: the endpoint accepts it, and that is all. */
  async #tell(message: JsonRpcMessage & { kind: 'notification' | 'response' }, line: Uint8Array): Promise<void> {
    if (message.kind === 'notification' && message.method === 'notifications/cancelled') {
      const requestId = message.params?.['requestId'];
      const call = this.#modernCalls.get(requestId as string | number);
      if (call !== undefined) return call.abort();
    }
    try {
      const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(30_000)]);
      const answer = await this.#options.send({ method: 'POST', headers: this.#postFields(message), body: line, signal });
      const body = await bytesOf(answer.body);
      if (answer.status >= 400) this.#options.complain(reasonIn(body) ?? `a message was answered with HTTP status ${answer.status}`);
      if (answer.status === 404 && this.#sessionId !== undefined) return this.#endSession();
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#options.complain(`the sidecar could not be reached: ${(error as Error).message}`);
    }
    if (message.kind === 'notification' && message.method === 'notifications/initialized') void this.#listen();
  }

  /** Keeps the GET stream of a session open, on which the server says what belongs to no call. */
  async #listen(): Promise<void> {
    if (this.#isListening) return;
    this.#isListening = true;
    const { signal } = this.#stopping;
    let lastEventId: string | undefined;
    let retryMs = DEFAULT_RETRY_MS;
    while (!signal.aborted) {
      try {
        const headers = {
          ...this.#fields(),
          accept: 'text/event-stream',
          ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
        };
        const answer = await this.#options.send({ method: 'GET', headers, signal });
        if (!isEventStream(answer)) {
          answer.body.resume();
          // The server has no such stream, or no longer this session.
          if (answer.status >= 400 && answer.status < 500) return;
        } else {
          const end = await this.#readStream(answer.body, undefined);
          lastEventId = end.lastEventId ?? lastEventId;
          retryMs = end.retryMs;
        }
      } catch (error) {
        if (!signal.aborted) this.#options.complain(`the stream of the session broke off: ${(error as Error).message}`);
      }
      await pause(retryMs, signal);
    }
  }

  async #readStream(body: Readable, message: (JsonRpcMessage & { kind: 'request' }) | undefined): Promise<StreamEnd> {
    const reader = new EventStreamReader(MAX_EVENT_BYTES);
    let lastEventId: string | undefined;
    let retryMs = DEFAULT_RETRY_MS;
    let isAnswered = false;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const { parts, fault } = reader.push(chunk);
      for (const { data, id, raw } of parts) {
        if (id !== undefined && id !== '') lastEventId = id;
        retryMs = Number(/^retry: ?(\d{1,9})\s*$/m.exec(Buffer.from(raw).toString())?.[1] ?? retryMs);
        if (data === undefined || data.length === 0) continue;
        isAnswered = this.#deliver(data, message) || isAnswered;
      }
      if (fault !== undefined) throw new Error('an event is too large');
    }
    return { isAnswered, lastEventId, retryMs };
  }

  /** Writes one message to the client. Returns whether it is the response that the request waits for. */
  #deliver(bytes: Uint8Array, message: (JsonRpcMessage & { kind: 'request' }) | undefined): boolean {
    const line = onOneLine(bytes);
    let value: unknown;
    try {
      value = JSON.parse(line.toString());
    } catch {
      this.#options.complain('the server sent something that is not JSON');
      return false;
    }
    if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return false;
    const { id, method, result } = value as { id?: unknown; method?: unknown; result?: { protocolVersion?: unknown } };
    const isResponse = message !== undefined && method === undefined && id === message.id;
    if (isResponse && message.method === 'initialize' && typeof result?.protocolVersion === 'string')
      this.#protocolVersion = result.protocolVersion;
    this.#options.write(line);
    return isResponse;
  }

  #answerError(idJson: string, code: number, message: string): void {
    this.#options.write(Buffer.from(`{"jsonrpc":"2.0","id":${idJson},"error":${JSON.stringify({ code, message })}}`));
  }

  #endSession(): void {
    if (this.#sessionId === undefined) return;
    this.#sessionId = undefined;
    this.#options.onSessionEnd();
  }

  #postFields(message: JsonRpcMessage): Record<string, string> {
    const fields = { ...this.#fields(), 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    if (message.kind === 'response') return fields;
    const version = message.meta?.[VERSION_KEY];
    if (typeof version !== 'string') return fields;
    // 2026-07-28: no session, and headers that repeat the body.
    delete (fields as Record<string, string>)['mcp-session-id'];
    const parameter = nameParameter(message.method);
    const name = parameter === undefined ? undefined : message.params?.[parameter];
    return {
      ...fields,
      'mcp-protocol-version': version,
      'mcp-method': message.method,
      ...(typeof name === 'string' && { 'mcp-name': encodeHeaderValue(name) }),
    };
  }

  #fields(): Record<string, string> {
    const token = this.#options.userToken();
    return {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(this.#sessionId !== undefined && { 'mcp-session-id': this.#sessionId }),
      ...(this.#protocolVersion !== undefined && { 'mcp-protocol-version': this.#protocolVersion }),
    };
  }
}

interface StreamEnd {
  readonly isAnswered: boolean;
  readonly lastEventId: string | undefined;
  readonly retryMs: number;
}

function isModern(message: JsonRpcMessage): boolean {
  const version = message.kind === 'response' ? undefined : message.meta?.[VERSION_KEY];
  return typeof version === 'string' && eraOf(version) === 'modern';
}

function isEventStream({ headers }: HttpAnswer): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(String(headers['content-type'] ?? ''));
}

/** The message of a JSON-RPC error. */
function reasonIn(body: Buffer): string | undefined {
  try {
    const { error } = JSON.parse(body.toString()) as { error?: { message?: unknown } };
    return typeof error?.message === 'string' ? error.message : undefined;
  } catch {
    return undefined;
  }
}

async function bytesOf(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString();
}

/** Ends early, without a fault, when the signal says so. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
