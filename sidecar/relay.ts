import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Logger } from '../runtime/logger.ts';
import { AnswerObserver } from './answer-outcome.ts';
import { type Refusal, refusalBody, refusalForStatus, upstreamFailed } from './denial.ts';
import type { Ending, Exchange } from './exchange.ts';
import { refuse } from './rescue.ts';
import { downstreamHeaders } from './upstream/headers.ts';

/** Takes an answer as it comes in, from whichever leg. */
export type AnswerHandler = Dispatcher.DispatchHandler;
/** Holds up or breaks off an answer. */
export type AnswerController = Dispatcher.DispatchController;

/** Takes the body of an answer apart on its way to the agent. */
export interface BodyFilter {
  /** Takes one chunk. Settles when what could be written of it is written; undefined when that needed no waiting. */
  push(chunk: Buffer): Promise<void> | undefined;
  /** Writes what is left. */
  end(): Promise<void> | undefined;
}

/** Thrown by a filter that cannot let the rest of an answer through, and told by a leg that knows why there is none. */
export class AnswerWithheld extends Error {
  override readonly name = 'AnswerWithheld';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.reason);
    this.refusal = refusal;
  }
}

export interface RelayOptions {
  readonly exchange: Exchange;
  /** Whether the agent going away cancels the call: MUST in 2026-07-28, SHOULD NOT before. */
  readonly cancelOnDisconnect: boolean;
  /** Makes the filter for an answer that has to be filtered; undefined lets it through. A `Refusal` replaces the answer. */
  readonly filterFor: (status: number, headers: IncomingHttpHeaders) => BodyFilter | Refusal | undefined;
  /** Names a server's session to the agent; undefined when it is not to have one. */
  readonly sealSession: (sessionId: string) => string | undefined;
  /** Takes note of a challenge. Set when a 401 and its challenge are for the agent, which then holds the credential that they are about. */
  readonly onChallenge: ((challenge: string | readonly string[]) => void) | undefined;
  readonly abandonAfterMs: number;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
}

/** A larger body is quicker to write as it is than to copy. */
const MAX_TEXT_BYTES = 8_192;

/**
 * Carries one server's answer to the agent: filtered when it is a list, else byte for byte and unbuffered, at the agent's pace.
 * `ending` settles once, when the answer is over for both sides.
 */
export class Relay implements Dispatcher.DispatchHandler {
  readonly #options: RelayOptions;
  readonly #ending = Promise.withResolvers<Ending>();
  #controller: Dispatcher.DispatchController | undefined;
  #observer: AnswerObserver | undefined;
  #filter: BodyFilter | undefined;
  #filtering: Promise<void> | undefined;
  #last: Uint8Array | undefined;
  #head: { readonly status: number; readonly headers: OutgoingHttpHeaders } | undefined;
  #isEventStream = false;
  #atEventBoundary = true;
  #responseBytes = 0;
  #cancelled = false;
  #settled = false;
  #abandon: NodeJS.Timeout | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { response } = options.exchange;
    response.on('close', () => this.#onDownstreamClosed());
    if (response.destroyed) this.#onDownstreamClosed();
  }

  /** Whether the agent has been sent anything of the answer's body. */
  get hasBegun(): boolean {
    return this.#responseBytes > 0;
  }

  get ending(): Promise<Ending> {
    return this.#ending.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cancelled && this.#options.cancelOnDisconnect) controller.abort(new Error('the agent went away'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    if (this.#cancelled || this.#settled) return;
    const { onChallenge } = this.#options;
    const challenge = headers['www-authenticate'];
    if (challenge !== undefined) onChallenge?.(challenge);
    const refusal =
      onChallenge !== undefined && status === 401 ? undefined : refusalForStatus(status, this.#options.exchange.route?.name ?? '');
    if (refusal !== undefined) return this.#refuse(refusal);
    const filter = this.#options.filterFor(status, headers);
    if (filter !== undefined && 'code' in filter) return this.#refuse(filter);
    this.#filter = filter;
    const { response } = this.#options.exchange;
    this.#isEventStream = isEventStream(headers);
    this.#observer = new AnswerObserver(this.#isEventStream);
    this.#head = {
      status,
      headers: downstreamHeaders(headers, filter !== undefined, this.#options.sealSession, onChallenge !== undefined),
    };
    // A stream's first event may be a long way off; the agent should know at once that there is a stream.
    if (this.#isEventStream) {
      this.#writeHead();
      response.flushHeaders();
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // undici resumes a paused answer with an empty chunk; pausing on that one would never end.
    if (this.#settled || this.#cancelled || chunk.length === 0) return;
    this.#observer?.observe(chunk);
    if (this.#filter !== undefined) return this.#push(this.#filter, controller, chunk);
    this.#atEventBoundary = endsEvent(chunk);
    if (!this.write(chunk)) {
      controller.pause();
      this.#options.exchange.response.once('drain', () => controller.resume());
    }
  }

  onResponseEnd(): void {
    this.#options.exchange.answeredAtMs ??= this.#options.monotonicMs();
    // Whose agent is gone has only a part of the answer, which says nothing about its server.
    const ended = this.#cancelled ? undefined : this.#filterNext((filter) => filter.end());
    if (ended === undefined) this.#finish();
    else this.#filtering = ended.then(() => this.#finish());
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#settled) return;
    this.#options.exchange.answeredAtMs ??= this.#options.monotonicMs();
    if (this.#cancelled) return this.#settleCancelled();
    const { exchange, logger } = this.#options;
    const server = exchange.route?.name ?? '';
    logger.warn({ err: error, server }, 'the server did not answer');
    if (error instanceof AnswerWithheld) return this.#refuse(error.refusal);
    const slow = error.name === 'HeadersTimeoutError';
    const reason = slow
      ? `the server ${server} did not answer in time`
      : `the server ${server} could not be reached, or broke off its answer`;
    this.#refuse(upstreamFailed('upstream_unreachable', reason));
  }

  /** Writes to the agent; false asks to wait for `drain`. */
  write(bytes: Uint8Array): boolean {
    const { response } = this.#options.exchange;
    if (response.destroyed) return true;
    this.#writeHead();
    this.#responseBytes += bytes.length;
    return response.write(bytes);
  }

  /** Writes a body that is all there is: it goes out with its head in one piece when the answer is over. */
  writeWhole(body: Uint8Array): void {
    if (this.#head === undefined) return void this.write(body);
    this.#head.headers['content-length'] = body.length;
    this.#last = body;
  }

  /** Settles when the agent has taken what was written, or is gone. */
  drained(): Promise<void> {
    const { response } = this.#options.exchange;
    if (!response.writableNeedDrain || response.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.on('drain', done);
      response.on('close', done);
    });
  }

  /** Status and fields go out with the first byte, so that an answer that turns out unreadable can still be replaced whole. */
  #writeHead(): void {
    if (this.#head === undefined) return;
    this.#options.exchange.response.writeHead(this.#head.status, this.#head.headers);
    this.#head = undefined;
  }

  #push(filter: BodyFilter, controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const pushed = this.#filterNext(() => filter.push(chunk));
    if (pushed === undefined) return;
    controller.pause();
    this.#filtering = pushed.then(() => {
      if (!this.#settled) controller.resume();
    });
  }

  /** Has the filter do one more step, after the ones before. Undefined when it is done already. */
  #filterNext(step: (filter: BodyFilter) => Promise<void> | undefined): Promise<void> | undefined {
    const filter = this.#filter;
    if (filter === undefined) return undefined;
    const fault = (error: unknown): undefined => this.#fault(error);
    if (this.#filtering !== undefined) return this.#filtering.then(() => (this.#settled ? undefined : step(filter))).catch(fault);
    try {
      return step(filter)?.catch(fault);
    } catch (error) {
      return fault(error);
    }
  }

  /** A filter that fails ends the answer; nothing of it is let through unfiltered. */
  #fault(error: unknown): undefined {
    if (this.#settled) return;
    const { exchange, logger } = this.#options;
    const server = exchange.route?.name ?? '';
    logger.error({ err: error, server }, 'an answer was withheld');
    const unknown = () => upstreamFailed('upstream_answer', `the answer of the server ${server} could not be handled, so it was withheld`);
    this.#refuse(error instanceof AnswerWithheld ? error.refusal : unknown());
  }

  #refuse(refusal: Refusal): void {
    if (this.#settled) return;
    // Aborting calls onResponseError before it returns, so the answer must count as over by then.
    this.#settled = true;
    this.#controller?.abort(new Error(refusal.reason));
    const { exchange } = this.#options;
    if (!exchange.response.headersSent) return this.#settle(refuse(exchange, refusal));
    exchange.refusal = refusal;
    const ending: Ending = {
      outcome: 'upstream_error',
      httpStatus: this.#sentStatus(),
      rpcCode: refusal.rpcCode,
      responseBytes: this.#responseBytes,
    };
    if (this.#isEventStream && exchange.idJson !== undefined && !exchange.response.destroyed) {
      // The agent still waits for its answer on this stream. An unfinished event is closed first; its text does not parse.
      const closing = this.#atEventBoundary ? '' : '\n\n';
      exchange.response.end(`${closing}event: message\ndata: ${refusalBody(refusal, exchange.idJson)}\n\n`);
    } else exchange.response.destroy();
    this.#settle(ending);
  }

  #finish(): void {
    if (this.#settled) return;
    if (this.#cancelled) return this.#settleCancelled();
    const { response } = this.#options.exchange;
    this.#writeHead();
    const httpStatus = response.statusCode;
    const answer = this.#observer?.end() ?? { outcome: 'ok' as const, rpcCode: null };
    const outcome = answer.outcome === 'ok' && httpStatus >= 400 ? 'rpc_error' : answer.outcome;
    this.#endResponse();
    this.#settle({ outcome, rpcCode: answer.rpcCode, httpStatus, responseBytes: this.#responseBytes });
  }

  #endResponse(): void {
    const { response } = this.#options.exchange;
    if (this.#last === undefined) return void response.end();
    const body = this.#last;
    this.#responseBytes += body.length;
    // Node puts a text behind the head and writes both at once. As Latin-1 each byte is a character, so the bytes stay what they are.
    if (body.length <= MAX_TEXT_BYTES) response.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1');
    else response.end(body);
  }

  #onDownstreamClosed(): void {
    if (this.#settled || this.#options.exchange.response.writableFinished) return;
    this.#cancelled = true;
    const { cancelOnDisconnect, abandonAfterMs } = this.#options;
    const abort = () => this.#controller?.abort(new Error('the agent went away'));
    if (cancelOnDisconnect) return abort();
    // The call goes on without its caller; what it answers is dropped, and it is not waited for without end.
    this.#controller?.resume();
    this.#abandon = setTimeout(abort, abandonAfterMs);
  }

  #sentStatus(): number | null {
    const { response } = this.#options.exchange;
    return response.headersSent ? response.statusCode : null;
  }

  #settleCancelled(): void {
    this.#settle({ outcome: 'cancelled', httpStatus: this.#sentStatus(), rpcCode: null, responseBytes: this.#responseBytes });
  }

  #settle(ending: Ending): void {
    this.#settled = true;
    clearTimeout(this.#abandon);
    this.#ending.resolve(ending);
  }
}

export function isEventStream(headers: IncomingHttpHeaders): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(headers['content-type'] ?? '');
}

function endsEvent(chunk: Buffer): boolean {
  const last = chunk.length - 1;
  const isBreak = (index: number) => chunk[index] === 0x0a || chunk[index] === 0x0d;
  return isBreak(last) && (isBreak(last - 1) || last === 0);
}
