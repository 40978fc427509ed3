import type { IncomingMessage, ServerResponse } from 'node:http';
import { internalFault, type Refusal, refusalBody, rejected } from '../denial.ts';
import type { Exchange } from '../exchange.ts';
import { type InnerCalls, partHeaders } from '../inner-calls.ts';
import { type BatchElement, readBatch } from '../mcp/batch.ts';
import { EventStreamReader } from '../mcp/sse.ts';
import { isEventStream } from '../relay.ts';
import { onOneLine } from '../stdio/line-reader.ts';

/** More than any single answer may have, so that the limits on answers are what counts. */
const MAX_EVENT_BYTES = 268_435_456;
const KEEP_ALIVE = Buffer.from(':\n\n');
const STREAM_HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' };

type Challenge = { readonly 'www-authenticate'?: string };

/** What was said to a message that gets no answer of its own. */
interface Acknowledgement {
  readonly status: number;
  readonly body: string;
  readonly challenge: Challenge;
}

/** An element that is to be answered, and the head of its answer. */
interface Call {
  readonly element: BatchElement;
  readonly head: Promise<IncomingMessage>;
}

/**
 * Batches of 2025-03-26: each message goes its own way, as if it had been sent alone, and the answers are put together again.
 * The server never sees the array.
 */
export class Batches {
  readonly #innerCalls: InnerCalls;

  constructor(innerCalls: InnerCalls) {
    this.#innerCalls = innerCalls;
  }

  /** Answers a batch; undefined when it did. Its messages are recorded one by one. */
  async answer({ request, response }: Exchange, body: Uint8Array): Promise<Refusal | undefined> {
    const read = readBatch(body);
    if (!read.ok) return rejected('malformed', 400, read.failure);
    const gone = new AbortController();
    response.on('close', () => {
      // A notification may take longer than the answers do.
      if (!response.writableFinished) gone.abort();
    });
    const headers = partHeaders(request);
    const path = request.url ?? '';
    const sent = read.value.map((element) => ({
      element,
      head: this.#innerCalls.call({ method: 'POST', path, headers, body: element.bytes, signal: gone.signal }),
    }));
    for (const { head } of sent) head.catch(() => undefined);
    const calls = sent.filter(({ element }) => element.isAnswered);
    const others = sent.filter(({ element }) => !element.isAnswered).map(({ head }) => head);
    if (calls.length === 0) await acknowledge(others, response);
    else {
      for (const head of others) head.then((answer) => answer.resume()).catch(() => undefined);
      await answerAll(calls, request, response);
    }
    return undefined;
  }
}

/** Nothing but notifications and responses: accepted, unless one of them is not. */
async function acknowledge(heads: readonly Promise<IncomingMessage>[], response: ServerResponse): Promise<void> {
  let refused: Acknowledgement | undefined;
  for (const head of heads) {
    const acknowledgement = await acknowledgementOf(head);
    if (acknowledgement.status >= 400) refused ??= acknowledgement;
  }
  if (response.destroyed) return;
  response.statusCode = refused?.status ?? 202;
  if (refused !== undefined) response.setHeaders(new Map(Object.entries({ ...refused.challenge, 'content-type': 'application/json' })));
  response.end(refused?.body);
}

async function acknowledgementOf(head: Promise<IncomingMessage>): Promise<Acknowledgement> {
  try {
    const answer = await head;
    return { status: answer.statusCode ?? 500, body: await textOf(answer), challenge: challengeOf(answer) };
  } catch {
    // Mostly because the agent went away; each message has its own record of that.
    return { status: 500, body: refusalBody(internalFault(), undefined), challenge: {} };
  }
}

async function answerAll(calls: readonly Call[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const first = await Promise.race(calls.map(({ head }) => head)).catch(() => undefined);
  // A session that has ended has ended for all of them, and the status says so.
  const isRefused = (first?.statusCode ?? 200) >= 400;
  if (isRefused || !/text\/event-stream/i.test(request.headers.accept ?? '')) {
    const heads = await Promise.all(calls.map(({ head }) => head.then(({ statusCode }) => statusCode).catch(() => 500)));
    const isOneStatus = heads.every((status) => status === first?.statusCode);
    const answers = await Promise.all(calls.map(responseOf));
    response.writeHead(isOneStatus ? (first?.statusCode ?? 200) : 200, { ...challengeOf(first), 'content-type': 'application/json' });
    response.end(`[${answers.join(',')}]`);
    return;
  }
  response.writeHead(200, STREAM_HEAD);
  response.flushHeaders();
  await Promise.all(calls.map((call) => stream(call, response)));
  response.end();
}

/** What a server that authorizes the agent itself asks of it: the same for each message of a batch. */
function challengeOf(answer: IncomingMessage | undefined): Challenge {
  const challenge = answer?.headers['www-authenticate'];
  return challenge === undefined ? {} : { 'www-authenticate': challenge };
}

/** One answer as a JSON-RPC response. What else its server says on the way has no place in an array. */
async function responseOf({ element, head }: Call): Promise<string> {
  try {
    const answer = await head;
    if (!isEventStream(answer.headers)) return await textOf(answer);
    for await (const message of eventsOf(answer)) {
      if (message !== undefined && isAnswerTo(element, message)) return message;
    }
  } catch {
    // The answer broke off; the caller is told below.
  }
  return refusalBody(internalFault(), element.idJson);
}

/** Whether a message that was read before answers this request. One that could not be read has an answer without an id. */
function isAnswerTo({ idJson }: BatchElement, message: string): boolean {
  const { id, method } = JSON.parse(message) as { id?: unknown; method?: unknown };
  return method === undefined && (id ?? null) === JSON.parse(idJson ?? 'null');
}

/** Passes one answer on as events. Their ids are left out: a stream of many answers cannot be resumed as one of them. */
async function stream({ element, head }: Call, response: ServerResponse): Promise<void> {
  const write = async (event: string | Buffer) => {
    if (!response.destroyed && !response.write(event)) await drained(response);
  };
  let isAnswered = false;
  try {
    const answer = await head;
    const messages = isEventStream(answer.headers) ? eventsOf(answer) : [await textOf(answer)];
    for await (const message of messages) {
      if (message === undefined) await write(KEEP_ALIVE);
      else {
        isAnswered ||= isAnswerTo(element, message);
        await write(`event: message\ndata: ${message}\n\n`);
      }
    }
  } catch {
    // The answer broke off; the caller is told below.
  }
  if (!isAnswered) await write(`event: message\ndata: ${refusalBody(internalFault(), element.idJson)}\n\n`);
}

/** The messages of an event stream, each on one line; undefined where there is only a sign of life. */
async function* eventsOf(answer: IncomingMessage): AsyncGenerator<string | undefined> {
  const reader = new EventStreamReader(MAX_EVENT_BYTES);
  for await (const chunk of answer) {
    for (const { data } of reader.push(chunk as Buffer).parts) {
      yield data === undefined || data.length === 0 ? undefined : Buffer.from(onOneLine(data)).toString();
    }
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.from(onOneLine(Buffer.concat(chunks))).toString();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve);
    response.once('close', resolve);
  });
}
