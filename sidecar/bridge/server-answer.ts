import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, refusalForStatus, upstreamFailed } from '../denial.ts';
import { isJsonMediaType } from '../mcp/media-type.ts';
import { EventStreamReader, type StreamPart } from '../mcp/sse.ts';
import { type AnswerController, type AnswerHandler, AnswerWithheld, isEventStream } from '../relay.ts';
import { onOneLine } from '../stdio/line-reader.ts';
import { type Message, readMessage } from './message.ts';

export interface ServerAnswerOptions {
  /** For refusals. */
  readonly server: string;
  /** Largest message read, in bytes. */
  readonly maxMessageBytes: number;
  /** The head is here. `false` wants nothing else of this answer. */
  readonly onHead?: (status: number, headers: IncomingHttpHeaders) => boolean;
  /** Each message, in order; none while paused. */
  readonly onMessage: (message: Message) => void;
  /** The answer is complete. */
  readonly onEnd: () => void;
  /** There is no answer, or none that can be read. Nothing comes after it. */
  readonly onFail: (refusal: Refusal) => void;
}

/** Where a `retry` field is looked for: it comes with an event that has little else. */
const MAX_FIELDS_BYTES = 256;

/** Reads the answer of a server whose messages are translated: JSON or an event stream, message by message, at its reader's pace. */
export class ServerAnswer implements AnswerHandler {
  readonly #options: ServerAnswerOptions;
  #controller: AnswerController | undefined;
  #events: EventStreamReader | undefined;
  #json: Buffer[] | undefined;
  #jsonBytes = 0;
  #status = 0;
  #isOver = false;
  #isPaused = false;
  #ended = false;
  /** What came while it was paused. */
  #waiting: Uint8Array[] = [];
  /** Where the server could take up an event stream that ended early. */
  lastEventId: string | undefined;
  /** How long to wait before that, as the server said. */
  retryMs: number | undefined;

  constructor(options: ServerAnswerOptions) {
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the reading and, if it can still be, the request. Nothing is told of it. */
  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = [];
    this.#controller?.abort(new Error('nobody waits for this answer'));
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#controller?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#deliver();
    if (!this.#isPaused) this.#controller?.resume();
  }

  onRequestStart(controller: AnswerController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error('nobody waits for this answer'));
  }

  onResponseStart(_controller: AnswerController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200 || this.#isOver) return;
    this.#status = status;
    if (this.#options.onHead?.(status, headers) === false) return this.abort();
    const refusal = refusalForStatus(status, this.#options.server);
    if (refusal !== undefined) return this.#fail(refusal);
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return this.#failed('is encoded, though that was not asked for');
    if (isEventStream(headers)) this.#events = new EventStreamReader(this.#options.maxMessageBytes);
    else if (isJsonMediaType(headers['content-type'] ?? '')) this.#json = [];
    else if (status >= 400) this.#failed(`has the HTTP status ${status}`);
    else if (status !== 202 && status !== 204 && headers['content-length'] !== '0' && headers['content-type'] !== undefined)
      this.#failed('is neither JSON nor an event stream');
    if (this.#isPaused) this.#controller?.pause();
  }

  onResponseData(_controller: AnswerController, chunk: Buffer): void {
    if (this.#isOver || chunk.length === 0) return;
    if (this.#json !== undefined) {
      this.#jsonBytes += chunk.length;
      if (this.#jsonBytes > this.#options.maxMessageBytes) return this.#failed(`is larger than ${this.#options.maxMessageBytes} bytes`);
      this.#json.push(chunk);
      return;
    }
    if (this.#events === undefined) return this.#failed('has a body that does not say what it is');
    const { parts, fault } = this.#events.push(chunk);
    for (const part of parts) this.#takePart(part);
    this.#deliver();
    if (fault !== undefined) this.#failed(`has an event that is larger than ${this.#options.maxMessageBytes} bytes`);
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#ended = true;
    if (this.#json !== undefined && this.#jsonBytes > 0) this.#waiting.push(Buffer.concat(this.#json, this.#jsonBytes));
    this.#deliver();
  }

  onResponseError(_controller: AnswerController | null, error: Error): void {
    if (error instanceof AnswerWithheld) return this.#fail(error.refusal);
    const { server } = this.#options;
    const slow = error.name === 'HeadersTimeoutError';
    const reason = slow
      ? `the server ${server} did not answer in time`
      : `the server ${server} could not be reached, or broke off its answer`;
    this.#fail(upstreamFailed('upstream_unreachable', reason));
  }

  #takePart({ data, event, id, raw }: StreamPart): void {
    if (id !== undefined) this.lastEventId = id;
    const [, retry] = /(?:^|[\r\n])retry: ?([0-9]{1,9})[\r\n]/.exec(Buffer.from(raw.subarray(0, MAX_FIELDS_BYTES)).toString()) ?? [];
    if (retry !== undefined) this.retryMs = Number(retry);
    // Other types of events are not MCP's, and its clients do not read them.
    if (data !== undefined && data.length > 0 && (event === undefined || event === 'message')) this.#waiting.push(data);
  }

  #deliver(): void {
    while (!this.#isPaused && !this.#isOver) {
      const data = this.#waiting.shift();
      if (data === undefined) break;
      const read = readMessage(onOneLine(Buffer.from(data)));
      if (!read.ok) {
        // An error status may have any JSON as its body.
        return this.#status >= 400 ? this.#failed(`has the HTTP status ${this.#status}`) : this.#failed(`cannot be read (${read.failure})`);
      }
      this.#options.onMessage(read.value);
    }
    if (!this.#ended || this.#isOver || this.#isPaused) return;
    this.#isOver = true;
    this.#options.onEnd();
  }

  #failed(how: string): void {
    this.#fail(upstreamFailed('upstream_answer', `the answer of the server ${this.#options.server} ${how}`));
  }

  #fail(refusal: Refusal): void {
    if (this.#isOver) return;
    this.abort();
    this.#options.onFail(refusal);
  }
}
