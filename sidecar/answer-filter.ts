import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, upstreamFailed } from './denial.ts';
import { readList } from './mcp/list-filter.ts';
import { isJsonMediaType } from './mcp/media-type.ts';
import { EventStreamReader, type StreamPart } from './mcp/sse.ts';
import { isPlainAroundData, isUtf8EventStream, withoutLineSeparators } from './mcp/sse-differentials.ts';
import { withData } from './mcp/sse-fields.ts';
import type { MessageFilter } from './message-filter.ts';
import { AnswerWithheld, type BodyFilter, isEventStream } from './relay.ts';

export interface AnswerFilterOptions {
  readonly messages: MessageFilter;
  /** Name of the server, for refusals. */
  readonly server: string;
  /** The list method that was asked; undefined on an answer or stream that may carry anything. */
  readonly method: string | undefined;
  /** Whether an answer that is no event stream has to be read: clients act on whatever message is in it. */
  readonly readsJson: boolean;
  /** The request's id as it was sent: a JSON answer must be an answer to it. Undefined when there is none. */
  readonly answersIdJson: string | undefined;
  /** Largest JSON answer read, in bytes. */
  readonly maxJsonBytes: number;
  /** Largest event read, in bytes. */
  readonly maxEventBytes: number;
}

const KEEP_ALIVE = Buffer.from(':\n\n');

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
  if (!isStream && !options.readsJson) return undefined;
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return withheld(options, 'is encoded, though that was not asked for');
  if (isStream && !isUtf8EventStream(type ?? '')) return withheld(options, 'is not in UTF-8');
  if (isStream) return new EventStreamFilter(options, sink);
  if (type !== undefined && isJsonMediaType(type)) return new JsonFilter(options, sink, status < 400);
  if (status >= 400 || status === 202 || status === 204 || headers['content-length'] === '0') return undefined;
  // An empty body may still come without a length: so do answers to DELETE.
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

/** A JSON answer: held until it is whole, then filtered. With an error status it may be any text, which no client takes for a list. */
class JsonFilter implements BodyFilter {
  readonly #options: AnswerFilterOptions;
  readonly #sink: AnswerSink;
  readonly #isSuccess: boolean;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(options: AnswerFilterOptions, sink: AnswerSink, isSuccess: boolean) {
    this.#options = options;
    this.#sink = sink;
    this.#isSuccess = isSuccess;
  }

  push(chunk: Buffer): undefined {
    this.#length += chunk.length;
    const { maxJsonBytes } = this.#options;
    if (this.#length > maxJsonBytes) throw new AnswerWithheld(withheld(this.#options, `is larger than ${maxJsonBytes} bytes`));
    this.#chunks.push(chunk);
  }

  end(): Promise<void> | undefined {
    const { messages, method, answersIdJson } = this.#options;
    // Nothing says nothing: servers answer DELETE so, under the type of their other answers.
    if (this.#length === 0 && method === undefined) return;
    const [first] = this.#chunks;
    const body = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#length);
    const isPlainError = !this.#isSuccess && !readList(body, undefined).ok;
    const message = isPlainError
      ? body
      : messages.filter(body, this.#isSuccess ? method : undefined, this.#isSuccess ? answersIdJson : undefined);
    if (message instanceof Promise) return message.then((filtered) => this.#write(filtered));
    this.#write(message);
    return undefined;
  }

  #write(message: Uint8Array | undefined): void {
    if (message === undefined) throw new AnswerWithheld(withheld(this.#options, 'is not an answer'));
    this.#sink.writeWhole(message);
  }
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
    const { data, raw } = part;
    // Without data it is nothing, a comment, or the empty event that only carries an id to resume from.
    if (data === undefined || data.length === 0) this.#sink.write(isPlainAroundData(part) ? raw : KEEP_ALIVE);
    else {
      if (!isPlainAroundData(part)) throw new AnswerWithheld(withheld(this.#options, 'has an event that clients read differently'));
      const message = await this.#options.messages.filter(data, undefined);
      if (message !== undefined) {
        const oneLine = withoutLineSeparators(message);
        this.#sink.write(oneLine === data ? raw : withData(part, oneLine));
      }
    }
    await this.#sink.drained();
  }
}
