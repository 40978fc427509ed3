import { createHash } from 'node:crypto';
import { HTTP_METHODS } from '../../extauthz/api/operation.ts';
import { type Refusal, refusalBody, upstreamFailed } from '../denial.ts';
import type { AnswerStream } from '../stdio/answer-stream.ts';
import type { BridgeOptions } from './bridge-options.ts';
import type { Caller } from './caller.ts';
import { isObject, written } from './json-text.ts';
import { declaresMethod } from './legacy-answer.ts';
import { legacyHeaders, legacyRequest } from './legacy-request.ts';
import type { LegacySession } from './legacy-session.ts';
import { wantsLogMessage } from './log-level.ts';
import { errorResponse, isSameId, type Message, resultResponse } from './message.ts';
import { INVALID_PARAMS, META, METHOD_NOT_FOUND } from './meta-keys.ts';
import { inputRequest, modernResponse, modernStatus } from './modern-answer.ts';
import type { ServerAnswer } from './server-answer.ts';
import type { SuspendedCalls } from './suspended-calls.ts';

export interface LegacyCallOptions {
  readonly bridge: BridgeOptions;
  readonly suspended: SuspendedCalls;
  /** Opens a session in the place of one that the server no longer knows. */
  readonly renew: (caller: Caller, old: LegacySession) => Promise<LegacySession | Refusal>;
}

const MAX_ASKED = 16;
const MAX_RESUMED = 32;
const MAX_RETRY_DELAY_MS = 5_000;
/** Unread output beyond this stops the reading of more. */
const MAX_QUEUED_BYTES = 1_048_576;
const MAY_ASK: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** The agent's end of a call: where its answer goes, and under which names. */
interface Attached {
  readonly message: Message;
  readonly caller: Caller;
  readonly answer: AnswerStream;
}

/**
 * One request of a modern agent's at a legacy server. When the server asks something of the agent, the agent is answered `input_required` and the
 * call stays open here, unread, until the agent comes back with the answers.
 */
export class LegacyCall {
  readonly #options: LegacyCallOptions;
  readonly method: string;
  /** What stays the same between the tries of one call. */
  readonly digest: string;
  #session: LegacySession;
  #number = 0;
  #first: Attached;
  #attached: Attached | undefined;
  #server: ServerAnswer | undefined;
  /** Requests of the server that wait for the agent, by the key that the agent knows them by. */
  readonly #asked = new Map<string, Message>();
  #lastKey = 0;
  #deciding = 0;
  #resumed = 0;
  #renewed = false;
  #isOver = false;
  #failure: Refusal | undefined;

  constructor(options: LegacyCallOptions, session: LegacySession, first: Attached) {
    this.#options = options;
    this.#session = session;
    this.#first = first;
    this.method = first.message.method;
    this.digest = callDigest(first.message);
    this.#attach(first);
  }

  start(): void {
    const { message, caller } = this.#first;
    this.#number = this.#session.opened(this);
    const body = legacyRequest(message, this.#number);
    this.#read(caller, { method: 'POST', headers: legacyHeaders(caller, this.#session.fields), body });
  }

  /** Goes on with the answers that the agent brought. */
  async resume(attached: Attached): Promise<void> {
    this.#attach(attached);
    if (attached.answer.aborted) return this.cancel();
    if (this.#failure !== undefined) return this.#fail(this.#failure);
    const { json } = attached.message;
    for (const [key, asked] of [...this.#asked]) {
      const result = json.objectAt('params', 'inputResponses', key) && json.written('params', 'inputResponses', key);
      if (result === undefined) continue;
      this.#asked.delete(key);
      const told = await this.#session.respond(attached.caller, resultResponse(asked.idJson ?? 'null', result));
      if (!told.ok) return this.#fail(told.failure);
    }
    if (this.#asked.size > 0) return this.#suspend();
    this.#server?.resume();
  }

  /** The agent gave up, or its time is over: the server is told so. */
  cancel(): void {
    if (this.#isOver) return;
    const { caller } = this.#attached ?? this.#first;
    this.#over();
    const params = JSON.stringify({ requestId: this.#number, reason: 'the caller is gone' });
    this.#session.tell(caller, Buffer.from(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`));
  }

  /** The session is gone. */
  end(refusal: Refusal): void {
    this.#fail(refusal);
  }

  /** A request that the server made outside of any call, when this is the only one it can be about. */
  takeRequest(message: Message): void {
    const { method, idJson = 'null', json } = message;
    const say = (body: Uint8Array) => this.#session.tell((this.#attached ?? this.#first).caller, body);
    if (method === 'ping') return say(resultResponse(idJson, '{}'));
    const declared = declaresMethod(this.#session.capabilities, method, json.objectAt('params'));
    if (declared !== true || !MAY_ASK.has(this.method))
      return say(errorResponse(idJson, METHOD_NOT_FOUND, 'the client does not answer this'));
    if (this.#asked.size + this.#deciding >= MAX_ASKED)
      return say(errorResponse(idJson, INVALID_PARAMS, 'too many requests of the client'));
    this.#deciding += 1;
    this.#server?.pause();
    this.#decide(message).then(
      (refusal) => {
        this.#deciding -= 1;
        if (this.#isOver) return;
        if (refusal !== undefined) say(Buffer.from(refusalBody(refusal, idJson)));
        else {
          this.#lastKey += 1;
          this.#asked.set(`request-${this.#lastKey}`, message);
        }
        if (this.#deciding > 0) return;
        if (this.#asked.size === 0) this.#server?.resume();
        else if (this.#attached !== undefined) this.#suspend();
      },
      (error: unknown) => {
        this.#options.bridge.logger.error({ err: error, method }, 'fault in the decision about a server’s request');
        this.#fail(this.#refusal('could not be used; the sidecar’s log has the details'));
      },
    );
  }

  /** Progress that came outside of this call's own answer. */
  takeProgress(message: Message): void {
    const token = this.#attached?.message.json.written('params', '_meta', 'progressToken');
    if (token !== undefined) this.#send(message.json.with({ params: { progressToken: token } }));
  }

  #attach(attached: Attached): void {
    this.#attached = attached;
    attached.answer.onAbort = () => this.cancel();
    attached.answer.onDrain = () => {
      if (this.#attached === attached && this.#asked.size === 0 && this.#deciding === 0) this.#server?.resume();
    };
  }

  #read(caller: Caller, request: { method: 'POST' | 'GET'; headers: Record<string, string>; body?: Uint8Array }): void {
    const { wire, fields } = this.#session;
    this.#server = wire.open(caller.permit, request, {
      onHead: (status) => {
        if (status !== 404 || fields.sessionId === undefined || this.#renewed || request.method !== 'POST') return true;
        this.#run(this.#renew(caller));
        return false;
      },
      onMessage: (message) => this.#take(message),
      onEnd: () => this.#resumeStream(caller),
      onFail: (refusal) => this.#fail(refusal),
    });
  }

  /** A session that the server does not know has run nothing, so this one request goes again, in a new one. Nothing else is ever sent twice. */
  async #renew(caller: Caller): Promise<void> {
    this.#renewed = true;
    this.#session.closed(this.#number);
    const renewed = await this.#options.renew(caller, this.#session);
    if (this.#isOver) return;
    if ('code' in renewed) return this.#fail(renewed);
    this.#session = renewed;
    this.start();
  }

  /** A server may end its stream and leave the rest to be fetched (MCP 2025-11-25, Resumability). That is no second request. */
  #resumeStream(caller: Caller): void {
    const lastEventId = this.#server?.lastEventId;
    this.#resumed += 1;
    if (lastEventId === undefined || this.#resumed > MAX_RESUMED)
      return this.#fail(this.#refusal('ended its answer before it was complete'));
    const { 'content-type': _type, ...headers } = legacyHeaders(caller, this.#session.fields);
    const delayMs = Math.min(this.#server?.retryMs ?? 1_000, MAX_RETRY_DELAY_MS);
    setTimeout(() => {
      if (!this.#isOver)
        this.#read(caller, { method: 'GET', headers: { ...headers, accept: 'text/event-stream', 'last-event-id': lastEventId } });
    }, delayMs).unref();
  }

  #take(message: Message): void {
    if (message.kind === 'request') return this.takeRequest(message);
    if (message.kind === 'notification') return this.#takeNotification(message);
    const isError = message.json.objectAt('error') !== undefined;
    if (message.idJson === undefined ? !isError : !isSameId(message.idJson, String(this.#number)))
      return this.#fail(this.#refusal('answered what it was not asked'));
    const attached = this.#attached;
    if (attached === undefined || this.#isOver) return;
    this.#over();
    const idJson = attached.message.idJson ?? 'null';
    attached.answer.finish(modernResponse(message, idJson, this.method), modernStatus(message));
  }

  #takeNotification(message: Message): void {
    const { method, json } = message;
    if (method === 'notifications/progress') {
      if (json.at('params', 'progressToken') === this.#number) this.takeProgress(message);
    } else if (method === 'notifications/message') {
      // In the modern era only who asks hears the log.
      const wanted = this.#attached?.message.json.at('params', '_meta', META.logLevel);
      if (wantsLogMessage(wanted, json.at('params', 'level'))) this.#send(json.bytes);
    } else this.#session.takeNotification(message);
  }

  #send(message: Uint8Array): void {
    const answer = this.#attached?.answer;
    if (answer === undefined || !answer.canStream) return;
    answer.send(message);
    if (answer.queuedBytes > MAX_QUEUED_BYTES) this.#server?.pause();
  }

  async #decide({ method }: Message): Promise<Refusal | undefined> {
    const { caller } = this.#attached ?? this.#first;
    const params = Buffer.from(JSON.stringify({ method }));
    const decided = await this.#options.bridge.authorize(caller, { method: HTTP_METHODS.serverRequest, target: method, params });
    return decided.ok ? undefined : decided.failure;
  }

  /** Answers the agent with what the server wants to know. */
  #suspend(): void {
    const attached = this.#attached;
    if (attached === undefined || this.#isOver) return;
    this.#attached = undefined;
    const { message, caller, answer } = attached;
    const requestState = this.#options.suspended.add(this, caller);
    if (requestState === undefined) {
      this.#attached = attached;
      this.cancel();
      return answer.fail(this.#refusal('asks for input while too many calls wait for some'));
    }
    const inputRequests = written(Object.fromEntries([...this.#asked].map(([key, asked]) => [key, inputRequest(asked)])));
    const result = written({ resultType: '"input_required"', inputRequests, requestState: JSON.stringify(requestState) });
    answer.finish(resultResponse(message.idJson ?? 'null', result));
  }

  #run(step: Promise<void>): void {
    step.catch((error: unknown) => {
      this.#options.bridge.logger.error({ err: error, server: this.#session.route.name }, 'fault in a bridged call');
      this.#fail(this.#refusal('could not be used; the sidecar’s log has the details'));
    });
  }

  #fail(refusal: Refusal): void {
    if (this.#isOver) return;
    const answer = this.#attached?.answer;
    if (answer === undefined) {
      // Nobody waits now; whoever comes back is told.
      this.#failure = refusal;
      return;
    }
    this.#over();
    answer.fail(refusal);
  }

  #over(): void {
    this.#isOver = true;
    this.#session.closed(this.#number);
    this.#options.suspended.drop(this);
    this.#server?.abort();
  }

  #refusal(how: string): Refusal {
    return upstreamFailed('upstream_answer', `the server ${this.#session.route.name} ${how}`);
  }
}

/** What a call is, apart from what each try adds. */
export function callDigest({ method, json }: Message): string {
  const { _meta, inputResponses, requestState, ...params } = json.objectAt('params') ?? {};
  return createHash('sha256')
    .update(JSON.stringify([method, isObject(params) ? params : {}]))
    .digest('base64url');
}
