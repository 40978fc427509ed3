import type { Result } from '../../extauthz/api/result.ts';
import type { Refusal } from '../denial.ts';
import type { Caller } from './caller.ts';
import { legacyHeaders, type SessionFields } from './legacy-request.ts';
import type { Message } from './message.ts';
import type { ServerAnswer } from './server-answer.ts';
import type { ServerWire } from './server-wire.ts';

export interface SessionStreamOptions {
  readonly wire: ServerWire;
  readonly fields: SessionFields;
  /** Decides anew whether the session's user may have a stream. */
  readonly authorize: () => Promise<Result<Caller, Refusal>>;
  /** Whether somebody would miss it. */
  readonly isNeeded: () => boolean;
  readonly onMessage: (message: Message) => void;
  /** The server has ended it, and it could not be taken up again. */
  readonly onLost: () => void;
}

/** How long the stream may take to open before whoever waits goes ahead without it. */
const HEAD_MS = 3_000;
const REOPEN_MS = 1_000;
const MAX_REOPEN_MS = 30_000;
const MAX_REOPENED = 5;

/** The GET stream of a session with a legacy server, for what belongs to no call. */
export class SessionStream {
  readonly #options: SessionStreamOptions;
  #answer: ServerAnswer | undefined;
  #opened: Promise<boolean> | undefined;
  /** Times in a row that it was taken up again without a word of the server's. */
  #reopened = 0;
  #isOver = false;

  constructor(options: SessionStreamOptions) {
    this.#options = options;
  }

  /** Opens it, once; false when the server has none. */
  open(caller: Caller): Promise<boolean> {
    if (this.#opened === undefined) {
      this.#reopened = 0;
      this.#opened = this.#get(caller, undefined);
    }
    return this.#opened;
  }

  close(): void {
    this.#isOver = true;
    this.#answer?.abort();
  }

  #get(caller: Caller, lastEventId: string | undefined): Promise<boolean> {
    const { wire, fields, onMessage } = this.#options;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), HEAD_MS);
    const { 'content-type': _type, ...plain } = legacyHeaders(caller, fields);
    const headers = { ...plain, accept: 'text/event-stream', ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) };
    this.#answer = wire.open(
      caller.permit,
      { method: 'GET', headers },
      {
        onHead: (status) => {
          clearTimeout(timer);
          resolve(status === 200);
          // It may have come too late for those who waited, but not for others.
          if (status === 200) this.#opened = promise.then(() => true);
          return status === 200;
        },
        onMessage: (message) => {
          this.#reopened = 0;
          onMessage(message);
        },
        onEnd: () => this.#reopen(),
        onFail: () => {
          clearTimeout(timer);
          resolve(false);
          this.#reopen();
        },
      },
    );
    return promise;
  }

  /** Takes it up again where the server ended it, as clients do. */
  #reopen(): void {
    const { authorize, isNeeded, onLost } = this.#options;
    const answer = this.#answer;
    if (this.#isOver) return;
    this.#reopened += 1;
    const lose = () => {
      this.#opened = undefined;
      onLost();
    };
    if (this.#reopened > MAX_REOPENED || !isNeeded()) return lose();
    const open = () => {
      if (this.#isOver) return;
      authorize().then((authorized) => {
        if (authorized.ok) this.#opened = this.#get(authorized.value, answer?.lastEventId);
        else lose();
      }, lose);
    };
    setTimeout(open, Math.min(answer?.retryMs ?? REOPEN_MS, MAX_REOPEN_MS)).unref();
  }
}
