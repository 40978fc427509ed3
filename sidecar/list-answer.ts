import type { IncomingHttpHeaders } from 'node:http';
import type { Decider } from './authz/decide.ts';
import type { SidecarConfig } from './config.ts';
import { type Refusal, upstreamFailed } from './denial.ts';
import { filterList, readList } from './mcp/list-filter.ts';
import { isJsonMediaType } from './mcp/media-type.ts';
import type { Era } from './mcp/protocol-version.ts';
import { EventStreamReader, type StreamPart } from './mcp/sse.ts';
import { withData } from './mcp/sse-fields.ts';
import type { Permit } from './permit.ts';
import { AnswerWithheld, type BodyFilter, isEventStream } from './relay.ts';

export interface ListAnswerOptions {
  readonly permit: Permit;
  readonly userToken: string;
  readonly decider: Decider;
  readonly config: SidecarConfig;
  readonly era: Era;
  /** The list method that was asked; undefined on a stream that may carry anything. */
  readonly method: string | undefined;
}

/** Where a filter writes: the relay. */
export interface AnswerSink {
  write(bytes: Uint8Array): boolean;
  drained(): Promise<void>;
}

/** Chooses how an answer that may carry lists is filtered, by its content type; undefined when it has nothing to filter. */
export function listFilterFor(
  options: ListAnswerOptions,
  sink: AnswerSink,
  status: number,
  headers: IncomingHttpHeaders,
): BodyFilter | Refusal | undefined {
  const type = headers['content-type'];
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return withheld(options, 'is encoded, though that was not asked for');
  if (isEventStream(headers)) return new EventStreamFilter(options, sink);
  if (type !== undefined && isJsonMediaType(type)) return new JsonFilter(options, sink, status < 400);
  if (status >= 400 || status === 202 || status === 204 || headers['content-length'] === '0') return undefined;
  return withheld(options, 'is neither JSON nor an event stream');
}

function withheld({ permit }: ListAnswerOptions, why: string): Refusal {
  return upstreamFailed('upstream_answer', `the answer of the server ${permit.route.name} ${why}, so it was withheld`);
}

/** A JSON answer: held until it is whole, then filtered. With an error status it may be any text, which no client takes for a list. */
class JsonFilter implements BodyFilter {
  readonly #options: ListAnswerOptions;
  readonly #sink: AnswerSink;
  readonly #isSuccess: boolean;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(options: ListAnswerOptions, sink: AnswerSink, isSuccess: boolean) {
    this.#options = options;
    this.#sink = sink;
    this.#isSuccess = isSuccess;
  }

  async push(chunk: Buffer): Promise<void> {
    this.#length += chunk.length;
    if (this.#length > this.#options.config.maxBodyBytes) throw tooLarge(this.#options);
    this.#chunks.push(chunk);
  }

  async end(): Promise<void> {
    const body = Buffer.concat(this.#chunks, this.#length);
    const isPlainError = !this.#isSuccess && !readList(body, undefined).ok;
    this.#sink.write(isPlainError ? body : await filtered(this.#options, body, this.#isSuccess ? this.#options.method : undefined));
  }
}

/** An event stream: each event is passed on as soon as it is whole, with its message filtered when it carries a list. */
class EventStreamFilter implements BodyFilter {
  readonly #options: ListAnswerOptions;
  readonly #sink: AnswerSink;
  readonly #reader: EventStreamReader;

  constructor(options: ListAnswerOptions, sink: AnswerSink) {
    this.#options = options;
    this.#sink = sink;
    this.#reader = new EventStreamReader(options.config.maxBodyBytes);
  }

  async push(chunk: Buffer): Promise<void> {
    const { parts, fault } = this.#reader.push(chunk);
    for (const part of parts) await this.#pass(part);
    if (fault !== undefined) throw tooLarge(this.#options);
  }

  async end(): Promise<void> {
    this.#reader.end();
  }

  async #pass(part: StreamPart): Promise<void> {
    const { data, raw } = part;
    // Nothing, or the empty event that only carries an id to resume from.
    if (data === undefined || data.length === 0) this.#sink.write(raw);
    else {
      const message = await filtered(this.#options, data, undefined);
      this.#sink.write(message === data ? raw : withData(part, message));
    }
    await this.#sink.drained();
  }
}

function tooLarge(options: ListAnswerOptions): AnswerWithheld {
  return new AnswerWithheld(withheld(options, `is larger than ${options.config.maxBodyBytes} bytes`));
}

/**
 * One message without the items that the user may not see.
 * @throws {AnswerWithheld} when it cannot be read, or no decision about it could be had.
 */
async function filtered(options: ListAnswerOptions, message: Uint8Array, expected: string | undefined): Promise<Uint8Array> {
  const { permit, userToken, decider, config, era } = options;
  const read = readList(message, expected);
  if (!read.ok) throw new AnswerWithheld(withheld(options, `cannot be read (${read.failure.detail})`));
  const { lists } = read.value;
  if (lists.length === 0) return message;
  const visible: (readonly boolean[])[] = [];
  for (const { method, names } of lists) {
    const judged = await decider.visible(permit, method, names, userToken);
    if (!judged.ok) throw new AnswerWithheld(judged.failure);
    visible.push(judged.value);
  }
  return filterList(read.value, visible, { era, maxTtlMs: config.listTtlMs });
}
