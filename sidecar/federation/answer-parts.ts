import type { IncomingMessage } from 'node:http';
import { EventStreamReader, type StreamPart } from '../mcp/sse.ts';
import { isEventStream } from '../relay.ts';
import { readMessage } from './values-at.ts';

/** More than any single answer may have, so that the limits of the request path are what counts. */
const MAX_EVENT_BYTES = 268_435_456;
/** How long a stream may stay open after the message that was waited for. */
const MAX_LINGER_MS = 5_000;

/** A part of an answer from the request path: one message, or a sign of life. */
export interface AnswerPart {
  /** Undefined or empty where there is no message. */
  readonly data: Uint8Array | undefined;
  /** What a client would resume from; events alone have one. */
  readonly id?: string | undefined;
  /** How long a client is to wait before it resumes, in milliseconds as the server wrote them. */
  readonly retry?: string | undefined;
}

/** The parts of an answer, as they come in. An answer that is no event stream is one message. Throws when it breaks off. */
export async function* partsOf(answer: IncomingMessage): AsyncGenerator<AnswerPart> {
  if (!isEventStream(answer.headers)) {
    yield { data: await wholeOf(answer) };
    return;
  }
  const reader = new EventStreamReader(MAX_EVENT_BYTES);
  for await (const chunk of answer) {
    for (const part of reader.push(chunk as Buffer).parts) yield { data: part.data, id: part.id, retry: retryOf(part) };
  }
}

export async function wholeOf(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The message that an answer is about, without what its server says on the way. Undefined when the answer ends without one; throws when it breaks off. */
export async function responseIn(answer: IncomingMessage): Promise<Uint8Array | undefined> {
  const parts = partsOf(answer);
  for (;;) {
    const { value, done } = await parts.next();
    if (done === true) return undefined;
    if (value.data === undefined || value.data.length === 0) continue;
    if (Object.hasOwn(readMessage(value.data) as object, 'method')) continue;
    // Breaking off what follows at once would look like an agent that went away.
    void drain(answer, parts);
    return value.data;
  }
}

/** A server that has answered ends its stream; one that does not is left, for nobody else would end it. */
async function drain(answer: IncomingMessage, parts: AsyncGenerator<AnswerPart>): Promise<void> {
  const leave = setTimeout(() => answer.destroy(), MAX_LINGER_MS);
  try {
    for await (const part of parts) void part;
  } catch {
    // What came before it is complete.
  } finally {
    clearTimeout(leave);
  }
}

function retryOf({ raw, fields }: StreamPart): string | undefined {
  const retry = fields.find(({ name }) => name === 'retry');
  return retry && Buffer.from(raw.subarray(retry.value.start, retry.value.end)).toString();
}
