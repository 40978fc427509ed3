import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, upstreamFailed } from '../denial.ts';
import { readList } from '../mcp/list-filter.ts';
import { isJsonMediaType } from '../mcp/media-type.ts';
import { isPlainError } from '../mcp/plain-error.ts';
import { EventStreamReader, type StreamPart } from '../mcp/sse.ts';
import { isPlainAroundData, isUtf8EventStream, withoutLineSeparators } from '../mcp/sse-differentials.ts';
import { withData, withoutIgnored } from '../mcp/sse-fields.ts';
import { AnswerWithheld, type BodyFilter, isEventStream } from '../relay.ts';
import type { MessageFilter } from './message-filter.ts';

export interface AnswerFilterOptions {
  readonly messages: MessageFilter;
  /** Name of the server, for refusals. */
  readonly server: string;
  /** The list method that was asked; undefined on an answer or stream that may carry anything. */
  readonly method: string | undefined;
  /** Whether a success has a body: what answers a DELETE is read by no client. */
  readonly hasBody: boolean;
  /** The request's id as it was sent: a JSON answer must be an answer to it. Undefined when there is none. */
  readonly answersIdJson: string | undefined;
  /** Largest JSON answer read, in bytes. */
  readonly maxJsonBytes: number;
  /** Largest event read, in bytes. */
  readonly maxEventBytes: number;
}

const KEEP_ALIVE = Buffer.from(':\n\n');
/** Larger than what frameworks and gateways answer errors with. */
const MAX_PLAIN_ERROR_BYTES = 65_536;

/** Where a filter writes: the relay. */
export interface AnswerSink {
  write(bytes: Uint8Array): boolean;
  /** Writes a body that is all there is. */
  writeWhole(body: Uint8Array): void;
  drained(): Promise<void>;
}

/** Chooses how an answer is filtered, by its content type; undefined when it goes through as it is. A `Refusal` replaces it. */
export function answerFilter(
  options: AnswerFilterOptions,
  sink: AnswerSink,
  status: number,
  headers: IncomingHttpHeaders,
): BodyFilter | Refusal | undefined {
  const type = headers['content-type'];
  const isStream = isEventStream(headers);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return withheld(options, 'is encoded, though that was not asked for');
  if (!isStream && status >= 400) return new WholeBody(options, sink, (body) => errorBody(options, body));
  if (!options.hasBody) return NO_BODY;
  if (isStream && !isUtf8EventStream(type ?? '')) return withheld(options, 'is not in UTF-8');
  if (isStream) return new EventStreamFilter(options, sink);
  if (type !== undefined && isJsonMediaType(type)) return new WholeBody(options, sink, (body) => jsonAnswer(options, body));
  if (headers['content-length'] === '0') return undefined;
  if (status === 202 || status === 204) return NO_BODY;
  // An empty body may still come without a length.
  return type === undefined ? new EmptyBody(options) : withheld(options, 'is neither JSON nor an event stream');
}

function withheld({ server }: AnswerFilterOptions, why: string): Refusal {
  return upstreamFailed('upstream_answer', `the answer of the server ${server} ${why}, so it was withheld`);
}

/** An answer that does not say what it is: it must be nothing. */
class EmptyBody implements BodyFilter {
  readonly #options: AnswerFilterOptions;

  constructor(options: AnswerFilterOptions) {
    this.#options = options;
  }

  push(): never {
    throw new AnswerWithheld(withheld(this.#options, 'is neither JSON nor an event stream'));
  }

  end(): undefined {}
}

/** What no client reads is not passed on: status and fields say all. */
const NO_BODY: BodyFilter = { push: () => undefined, end: () => undefined };

type Judged = ReturnType<MessageFilter['filter']>;

/** An answer that is held until it is whole, and passed on as what is made of it. */
class WholeBody implements BodyFilter {
  readonly #options: AnswerFilterOptions;
  readonly #sink: AnswerSink;
  readonly #filter: (body: Buffer) => Judged;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(options: AnswerFilterOptions, sink: AnswerSink, filter: (body: Buffer) => Judged) {
    this.#options = options;
    this.#sink = sink;
    this.#filter = filter;
  }

  push(chunk: Buffer): undefined {
    this.#length += chunk.length;
    const { maxJsonBytes } = this.#options;
    if (this.#length > maxJsonBytes) throw new AnswerWithheld(withheld(this.#options, `is larger than ${maxJsonBytes} bytes`));
    this.#chunks.push(chunk);
  }

  end(): Promise<void> | undefined {
    const [first] = this.#chunks;
    const body = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#length);
    const message = this.#filter(body);
    if (message instanceof Promise) return message.then((filtered) => this.#write(filtered));
    this.#write(message);
    return undefined;
  }

  #write(message: Uint8Array | undefined): void {
    if (message === undefined) throw new AnswerWithheld(withheld(this.#options, 'is not an answer'));
    if (message.length > 0) this.#sink.writeWhole(message);
  }
}

function jsonAnswer({ messages, method, answersIdJson }: AnswerFilterOptions, body: Buffer): Judged {
  // Nothing says nothing: servers accept notifications so, under the type of their other answers.
  return body.length === 0 && method === undefined ? body : messages.filter(body, method, answersIdJson);
}

/** SDKs show what comes with an error status in their own errors. It is a message like any other, or a short text in which no client finds a list. */
function errorBody(options: AnswerFilterOptions, body: Buffer): Judged {
  // Servers answer errors of HTTP under an id of their own.
  if (readList(body, undefined).ok) return options.messages.filter(body, undefined);
  if (body.length <= MAX_PLAIN_ERROR_BYTES && isPlainError(body)) return body;
  throw new AnswerWithheld(withheld(options, 'has an error that is neither a message nor a short text'));
}

/** An event stream: each event is passed on as soon as it is whole, with its message filtered, or not at all. */
class EventStreamFilter implements BodyFilter {
  readonly #options: AnswerFilterOptions;
  readonly #sink: AnswerSink;
  readonly #reader: EventStreamReader;

  constructor(options: AnswerFilterOptions, sink: AnswerSink) {
    this.#options = options;
    this.#sink = sink;
    this.#reader = new EventStreamReader(options.maxEventBytes);
  }

  async push(chunk: Buffer): Promise<void> {
    const { parts, fault } = this.#reader.push(chunk);
    for (const part of parts) await this.#pass(part);
    if (fault === undefined) return;
    throw new AnswerWithheld(withheld(this.#options, `has an event that is larger than ${this.#options.maxEventBytes} bytes`));
  }

  async end(): Promise<void> {
    this.#reader.end();
  }

  async #pass(part: StreamPart): Promise<void> {
    const { data } = part;
    // Without data it is nothing, a comment, or the empty event that only carries an id to resume from.
    if (data === undefined || data.length === 0) this.#sink.write(isPlainAroundData(part) ? withoutIgnored(part) : KEEP_ALIVE);
    else {
      if (!isPlainAroundData(part)) throw new AnswerWithheld(withheld(this.#options, 'has an event that clients read differently'));
      const message = await this.#options.messages.filter(data, undefined);
      if (message !== undefined) {
        const oneLine = withoutLineSeparators(message);
        this.#sink.write(oneLine === data ? withoutIgnored(part) : withData(part, oneLine));
      }
    }
    await this.#sink.drained();
  }
}
