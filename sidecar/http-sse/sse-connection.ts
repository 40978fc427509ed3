import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, refusalForStatus, upstreamFailed } from '../denial.ts';
import { EventStreamReader, type StreamPart } from '../mcp/sse.ts';
import { type AnswerController, type AnswerHandler, isEventStream } from '../relay.ts';
import { onOneLine } from '../stdio/line-reader.ts';
import { endpointUrl } from './endpoint.ts';

/** Sends one HTTP request to a server; its answer goes to `answer`. */
export type Dispatch = (
  request: { readonly url: URL; readonly method: 'GET' | 'POST'; readonly headers: Record<string, string>; readonly body?: Uint8Array },
  answer: AnswerHandler,
) => void;

export interface SseConnectionOptions {
  readonly server: string;
  readonly url: URL;
  /** Fields of the request that opens the stream. */
  readonly headers: Record<string, string>;
  readonly dispatch: Dispatch;
  readonly maxMessageBytes: number;
  /** Each message of the server. */
  readonly onMessage: (message: Buffer) => void;
  /** A message that did not get to the server. */
  readonly onUndelivered: (message: Uint8Array, why: string) => void;
  /** Called once. After it nothing more comes. */
  readonly onEnd: (refusal: Refusal) => void;
}

/** Fields that say something about one message, and so do not belong on the request for the stream. */
const OF_A_MESSAGE: ReadonlySet<string> = new Set([
  'content-type',
  'accept',
  'mcp-session-id',
  'last-event-id',
  'traceparent',
  'tracestate',
]);

/**
 * One connection to a server of the HTTP+SSE transport (MCP 2024-11-05): a stream on which everything comes, and the URL, named by its first
 * event, to which everything is posted.
 */
export class SseConnection {
  readonly #options: SseConnectionOptions;
  readonly #ready = Promise.withResolvers<void>();
  readonly #reader: EventStreamReader;
  #controller: AnswerController | undefined;
  #endpoint: URL | undefined;
  #headers: Record<string, string>;
  #isOver = false;
  #isPaused = false;
  inputBacklogBytes = 0;

  constructor(options: SseConnectionOptions) {
    this.#options = options;
    this.#headers = options.headers;
    this.#reader = new EventStreamReader(options.maxMessageBytes);
    // Whoever opened it learns of its end through `onEnd`; not everybody waits for its beginning.
    this.#ready.promise.catch(() => undefined);
    options.dispatch({ url: options.url, method: 'GET', headers: streamFields(options.headers) }, this.#streamHandler());
  }

  /** Settles when messages can be posted; rejects when that will never be. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Sets the fields, credential included, of the messages written from now on. */
  use(headers: Record<string, string>): void {
    this.#headers = headers;
  }

  /** Posts one message. */
  write(message: Uint8Array): void {
    this.post(message).catch((error: Error) => this.#options.onUndelivered(message, error.message));
  }

  /** Posts one message; settles when the server has accepted it. What it says to it comes on the stream. */
  post(message: Uint8Array): Promise<void> {
    const url = this.#endpoint;
    if (url === undefined || this.#isOver) return Promise.reject(new Error('has closed its stream'));
    const headers = { ...this.#headers, 'content-type': 'application/json' };
    this.inputBacklogBytes += message.length;
    const accepted = new Promise<void>((resolve, reject) => {
      this.#options.dispatch(
        { url, method: 'POST', headers, body: message },
        {
          onRequestStart() {},
          onResponseStart(_controller, status) {
            if (status < 200) return;
            if (status < 300) resolve();
            else reject(new Error(`did not accept a message (HTTP status ${status})`));
          },
          onResponseData() {},
          onResponseEnd() {},
          onResponseError: () => reject(new Error('could not be reached, or broke off')),
        },
      );
    });
    return accepted.finally(() => {
      this.inputBacklogBytes -= message.length;
    });
  }

  pauseOutput(): void {
    this.#isPaused = true;
    this.#controller?.pause();
  }

  resumeOutput(): void {
    this.#isPaused = false;
    this.#controller?.resume();
  }

  close(why: string): void {
    this.#end(upstreamFailed('upstream_unreachable', `the connection to the server ${this.#options.server} ${why}`));
  }

  #streamHandler(): AnswerHandler {
    return {
      onRequestStart: (controller) => {
        this.#controller = controller;
        if (this.#isOver) controller.abort(new Error('closed'));
      },
      onResponseStart: (_controller, status, headers) => this.#takeHead(status, headers),
      onResponseData: (controller, chunk) => {
        // undici resumes with an empty chunk; pausing on that one would never end.
        if (chunk.length === 0) return;
        this.#takeChunk(chunk);
        if (this.#isPaused && !this.#isOver) controller.pause();
      },
      onResponseEnd: () => this.close('was closed by the server'),
      onResponseError: (_controller, error) => this.close(`broke off (${error.name})`),
    };
  }

  #takeHead(status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    const { server } = this.#options;
    const refusal = refusalForStatus(status, server);
    if (refusal !== undefined) return this.#end(refusal);
    if (status !== 200 || !isEventStream(headers)) this.#withhold('did not open its event stream');
    else if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity')
      this.#withhold('encoded its stream, though not asked to');
  }

  #takeChunk(chunk: Buffer): void {
    if (this.#isOver) return;
    const { parts, fault } = this.#reader.push(chunk);
    for (const part of parts) {
      if (this.#isOver) return;
      this.#takePart(part);
    }
    if (fault !== undefined) this.#withhold(`sent an event of more than ${this.#options.maxMessageBytes} bytes`);
  }

  #takePart({ data, event }: StreamPart): void {
    if (data === undefined || data.length === 0) return;
    if (event === 'endpoint') return this.#takeEndpoint(Buffer.from(data).toString());
    // Other types of events are not MCP's, and its clients do not read them.
    if (event !== undefined && event !== 'message') return;
    this.#options.onMessage(onOneLine(data));
  }

  #takeEndpoint(data: string): void {
    // A second one could lead away from the first, after everybody has looked.
    if (this.#endpoint !== undefined) return this.#withhold('named its endpoint twice');
    this.#endpoint = endpointUrl(this.#options.url, data);
    if (this.#endpoint === undefined) this.#withhold('named an endpoint that is not on its own origin');
    else this.#ready.resolve();
  }

  #withhold(what: string): void {
    this.#end(upstreamFailed('upstream_answer', `the server ${this.#options.server} ${what}, so its connection was closed`));
  }

  #end(refusal: Refusal): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ready.reject(new Error(refusal.reason));
    this.#controller?.abort(new Error(refusal.reason));
    this.#options.onEnd(refusal);
  }
}

function streamFields(headers: Record<string, string>): Record<string, string> {
  const sent = Object.entries(headers).filter(
    ([name]) => !OF_A_MESSAGE.has(name) && !(name.startsWith('mcp-') && name !== 'mcp-protocol-version'),
  );
  return { ...Object.fromEntries(sent), accept: 'text/event-stream' };
}
