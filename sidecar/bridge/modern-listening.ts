import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type Refusal, upstreamFailed } from '../denial.ts';
import type { AnswerStream } from '../stdio/answer-stream.ts';
import type { Caller } from './caller.ts';
import { written } from './json-text.ts';
import type { Message } from './message.ts';
import { type ClientDeclaration, modernHeaders, modernMeta } from './modern-request.ts';
import type { ServerAnswer } from './server-answer.ts';
import type { ServerWire } from './server-wire.ts';

export interface ModernListeningOptions {
  readonly wire: ServerWire;
  readonly server: string;
  readonly declared: ClientDeclaration;
  /** Members of the filter for the lists whose changes the server announces. */
  readonly lists: readonly string[];
  readonly canSubscribe: boolean;
  readonly newId: () => string;
  readonly logger: Logger;
}

const MAX_URIS = 1_000;
/** Unread events beyond this stop the reading of more. */
const MAX_QUEUED_BYTES = 1_048_576;
const UPDATED = 'notifications/resources/updated';

/**
 * What a legacy session hears of its modern server: the agent's GET stream, fed by one `subscriptions/listen`. When the set of subscriptions changes
 * another one takes its place, and the old one ends only when the new one is acknowledged, so that nothing is missed in between.
 */
export class ModernListening {
  readonly #options: ModernListeningOptions;
  readonly #uris = new Set<string>();
  #stream: AnswerStream | undefined;
  #listen: ServerAnswer | undefined;
  /** Changes are made one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ModernListeningOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  /** Takes the agent's GET stream, in the place of an earlier one. */
  attach(caller: Caller, answer: AnswerStream): void {
    this.#stream?.close();
    this.#stream = answer;
    answer.onAbort = () => {
      if (this.#stream !== answer) return;
      this.#stream = undefined;
      this.#stop();
    };
    answer.onDrain = () => this.#listen?.resume();
    answer.openStream();
    const { logger, server } = this.#options;
    this.#inTurn(() => this.#reopen(caller)).then(
      (opened) => {
        // An agent without news still has a session; it hears nothing, as it would of a server that announces nothing.
        if (!opened.ok) logger.warn({ server, reason: opened.failure.reason }, 'a server takes no subscriptions');
      },
      (error: unknown) => logger.error({ err: error, server }, 'fault in a subscription'),
    );
  }

  subscribe(caller: Caller, uri: string): Promise<Result<undefined, Refusal>> {
    const { server, canSubscribe } = this.#options;
    return this.#inTurn(async () => {
      if (!canSubscribe) return refuse(`the server ${server} takes no subscriptions to resources`);
      if (this.#uris.has(uri)) return ok(undefined);
      if (this.#uris.size >= MAX_URIS) return refuse(`more than ${MAX_URIS} subscriptions in one session`);
      this.#uris.add(uri);
      const opened = await this.#reopen(caller);
      if (!opened.ok) this.#uris.delete(uri);
      return opened;
    });
  }

  unsubscribe(caller: Caller, uri: string): Promise<Result<undefined, Refusal>> {
    return this.#inTurn(async () => (this.#uris.delete(uri) ? this.#reopen(caller) : ok(undefined)));
  }

  close(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#stop();
    stream?.close();
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const made = this.#turn.then(change);
    this.#turn = made.catch(() => undefined);
    return made;
  }

  #stop(): void {
    this.#listen?.abort();
    this.#listen = undefined;
  }

  /** Listens to what is wanted now. Without a stream to put it on nothing is listened to. */
  async #reopen(caller: Caller): Promise<Result<undefined, Refusal>> {
    const { lists } = this.#options;
    if (this.#stream === undefined || (lists.length === 0 && this.#uris.size === 0)) {
      this.#stop();
      return ok(undefined);
    }
    const before = this.#listen;
    const opened = await this.#open(caller);
    if (!opened.ok) return opened;
    // The stream may have gone meanwhile.
    if (this.#stream === undefined) opened.value.abort();
    this.#listen = opened.value;
    before?.abort();
    // Its end may have come with its beginning.
    if (opened.value.isOver) this.#lost();
    return ok(undefined);
  }

  #open(caller: Caller): Promise<Result<ServerAnswer, Refusal>> {
    const { wire, declared, lists, server, newId } = this.#options;
    const { promise, resolve } = Promise.withResolvers<Result<ServerAnswer, Refusal>>();
    const uris = new Set(this.#uris);
    const filter = Object.fromEntries(lists.map((list) => [list, 'true']));
    const notifications = written({ ...filter, resourceSubscriptions: uris.size === 0 ? null : JSON.stringify([...uris]) });
    const params = written({ _meta: modernMeta({ ...declared, logLevel: undefined }), notifications });
    const body = Buffer.from(`{"jsonrpc":"2.0","id":"sidegate-listen-${newId()}","method":"subscriptions/listen","params":${params}}`);
    let answer: ServerAnswer | undefined;
    const timer = setTimeout(() => {
      answer?.abort();
      ended(upstreamFailed('upstream_unreachable', `the server ${server} did not acknowledge a subscription in time`));
    }, wire.answerTimeoutMs);
    const ended = (refusal: Refusal) => {
      clearTimeout(timer);
      resolve(fail(refusal));
      if (answer !== undefined && this.#listen === answer) this.#lost();
    };
    const open = wire.open(
      caller.permit,
      { method: 'POST', headers: modernHeaders(caller, 'subscriptions/listen', undefined), body },
      {
        onMessage: (message) => {
          if (message.kind !== 'notification') {
            open.abort();
            return ended(upstreamFailed('upstream_answer', `the server ${server} ended the subscription`));
          }
          if (message.method !== 'notifications/subscriptions/acknowledged') return this.#pass(message, uris, open);
          clearTimeout(timer);
          resolve(ok(open));
        },
        onEnd: () => ended(upstreamFailed('upstream_answer', `the server ${server} ended the subscription`)),
        onFail: ended,
      },
    );
    answer = open;
    return promise;
  }

  /** The agent opens its stream again, as it would after any server's end of it. */
  #lost(): void {
    this.#listen = undefined;
    this.#stream?.close();
    this.#stream = undefined;
  }

  /** Only what was asked for; whether the user may still hear of it is decided where it passes. */
  #pass({ method, json }: Message, uris: ReadonlySet<string>, from: ServerAnswer): void {
    const uri = json.at('params', 'uri');
    const isWanted = method === UPDATED ? typeof uri === 'string' && uris.has(uri) : this.#options.lists.includes(listOf(method));
    if (!isWanted || this.#stream?.canStream !== true) return;
    this.#stream.send(json.bytes);
    if (this.#stream.queuedBytes > MAX_QUEUED_BYTES) from.pause();
  }
}

/** The member of the filter that asks for this notification. */
function listOf(method: string): string {
  const [, kind] = /^notifications\/(tools|prompts|resources)\/list_changed$/.exec(method) ?? [];
  return kind === undefined ? '' : `${kind}ListChanged`;
}

function refuse(reason: string): Result<never, Refusal> {
  return fail(upstreamFailed('upstream_answer', reason));
}
