import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Logger } from '../runtime/logger.ts';
import { AnswerObserver } from './answer-outcome.ts';
import { type Refusal, refusalBody, upstreamFailed } from './denial.ts';
import type { Ending, Exchange } from './exchange.ts';
import { refuse } from './rescue.ts';
import { downstreamHeaders } from './upstream/headers.ts';

/** Takes an answer as it comes in, from whichever leg. */
export type AnswerHandler = Dispatcher.DispatchHandler;
/** Holds up or breaks off an answer. */
export type AnswerController = Dispatcher.DispatchController;

/** Takes the body of an answer apart on its way to the agent. */
export interface BodyFilter {
  /** Takes one chunk. Settles when what could be written of it is written. */
  push(chunk: Buffer): Promise<void>;
  /** Writes what is left. */
  end(): Promise<void>;
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
    if (this.#filter === undefined) return this.#finish();
    this.#filtering = (this.#filtering ?? Promise.resolve())
      .then(() => this.#filter?.end())
      .then(
        () => this.#finish(),
        (error: unknown) => this.#fault(error),
      );
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#settled) return;
    this.#options.exchange.answeredAtMs ??= this.#options.monotonicMs();
    if (this.#cancelled)
      return this.#settle({ outcome: 'cancelled', httpStatus: this.#sentStatus(), rpcCode: null, responseBytes: this.#responseBytes });
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
    controller.pause();
    this.#filtering = (this.#filtering ?? Promise.resolve())
      .then(() => filter.push(chunk))
      .then(
        () => controller.resume(),
        (error: unknown) => this.#fault(error),
      );
  }

  /** A filter that fails ends the answer; nothing of it is let through unfiltered. */
  #fault(error: unknown): void {
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
    if (this.#cancelled)
      return this.#settle({ outcome: 'cancelled', httpStatus: this.#sentStatus(), rpcCode: null, responseBytes: this.#responseBytes });
    const { response } = this.#options.exchange;
    this.#writeHead();
    const httpStatus = response.statusCode;
    const answer = this.#observer?.end() ?? { outcome: 'ok' as const, rpcCode: null };
    const outcome = answer.outcome === 'ok' && httpStatus >= 400 ? 'rpc_error' : answer.outcome;
    response.end();
    this.#settle({ outcome, rpcCode: answer.rpcCode, httpStatus, responseBytes: this.#responseBytes });
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

  #settle(ending: Ending): void {
    this.#settled = true;
    clearTimeout(this.#abandon);
    this.#ending.resolve(ending);
  }
}

export function isEventStream(headers: IncomingHttpHeaders): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(headers['content-type'] ?? '');
}

/** Answers that must not reach the agent as they are. */
export function refusalForStatus(status: number, server: string): Refusal | undefined {
  if (status > 599) return upstreamFailed('upstream_answer', `the server ${server} answered with a status that HTTP does not have`);
  // A 401 would make the agent's SDK start OAuth against localhost.
  if (status === 401) return upstreamFailed('upstream_credential', `the server ${server} did not accept the credential it was given`);
  // Only a proxy asks so. A captured agent would take it for the sidecar's, and show it another credential.
  if (status === 407) return upstreamFailed('upstream_answer', `the server ${server} answered as only a proxy may`);
  // A redirect would lead the agent around the sidecar.
  if (status >= 300 && status < 400 && status !== 304)
    return upstreamFailed('upstream_redirect', `the server ${server} answered with a redirect, which is not followed`);
  return undefined;
}

function endsEvent(chunk: Buffer): boolean {
  const last = chunk.length - 1;
  const isBreak = (index: number) => chunk[index] === 0x0a || chunk[index] === 0x0d;
  return isBreak(last) && (isBreak(last - 1) || last === 0);
}
