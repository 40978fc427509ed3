import type { IncomingHttpHeaders } from 'node:http';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { type Refusal, upstreamFailed } from '../denial.ts';
import type { Permit } from '../permit.ts';
import type { AnswerHandler } from '../relay.ts';
import { isSameId, type Message } from './message.ts';
import { ServerAnswer, type ServerAnswerOptions } from './server-answer.ts';

export interface ServerRequest {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array;
}

/** Sends one request to a server as it is. */
export type Send = (permit: Permit, request: ServerRequest, answer: AnswerHandler) => void;

export interface WireOptions {
  readonly send: Send;
  /** Largest message taken from a server, in bytes. */
  readonly maxMessageBytes: number;
  /** Time that a server, or an agent that was asked, has to answer. */
  readonly answerTimeoutMs: number;
}

/** A response, with the fields of the answer that it came in. */
export interface Answered {
  readonly response: Message;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** The bridge's own end of the connection to servers. */
export class ServerWire {
  readonly #options: WireOptions;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  get answerTimeoutMs(): number {
    return this.#options.answerTimeoutMs;
  }

  open(permit: Permit, request: ServerRequest, reader: Omit<ServerAnswerOptions, 'server' | 'maxMessageBytes'>): ServerAnswer {
    const answer = new ServerAnswer({ ...reader, server: permit.route.name, maxMessageBytes: this.#options.maxMessageBytes });
    try {
      this.#options.send(permit, request, answer);
    } catch (error) {
      answer.onResponseError(null, error as Error);
    }
    return answer;
  }

  /** Asks something whose answer is one response and nothing else. */
  ask(permit: Permit, headers: Record<string, string>, body: Uint8Array, idJson: string): Promise<Result<Answered, Refusal>> {
    const { promise, resolve } = Promise.withResolvers<Result<Answered, Refusal>>();
    const failed = (how: string) => resolve(fail(upstreamFailed('upstream_answer', `the server ${permit.route.name} ${how}`)));
    let head: Pick<Answered, 'status' | 'headers'> = { status: 0, headers: {} };
    const answer = this.open(
      permit,
      { method: 'POST', headers, body },
      {
        onHead: (status, fields) => {
          head = { status, headers: fields };
          return true;
        },
        onMessage: (message) => {
          if (message.kind === 'notification') return;
          if (message.kind === 'request') failed('asked something instead of answering');
          else if (message.idJson !== undefined && !isSameId(message.idJson, idJson)) failed('answered what it was not asked');
          else resolve(ok({ response: message, ...head }));
          answer.abort();
        },
        onEnd: () => failed('did not answer'),
        onFail: (refusal) => resolve(fail(refusal)),
      },
    );
    const timer = setTimeout(() => {
      failed('did not answer in time');
      answer.abort();
    }, this.#options.answerTimeoutMs);
    return promise.finally(() => clearTimeout(timer));
  }

  /** Says something that the server only accepts. Settles when it did. */
  tell(permit: Permit, headers: Record<string, string>, body: Uint8Array): Promise<Result<undefined, Refusal>> {
    const { promise, resolve } = Promise.withResolvers<Result<undefined, Refusal>>();
    const { name } = permit.route;
    let answer: ServerAnswer | undefined;
    const timer = setTimeout(() => {
      resolve(fail(upstreamFailed('upstream_unreachable', `the server ${name} did not accept a message in time`)));
      answer?.abort();
    }, this.#options.answerTimeoutMs).unref();
    const over = (outcome: Result<undefined, Refusal>) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    answer = this.open(
      permit,
      { method: 'POST', headers, body },
      {
        onHead: (status) => {
          if (status < 300) resolve(ok(undefined));
          else over(fail(upstreamFailed('upstream_answer', `the server ${name} did not accept a message (HTTP status ${status})`)));
          return status < 300;
        },
        onMessage: () => {},
        onEnd: () => over(ok(undefined)),
        onFail: (refusal) => over(fail(refusal)),
      },
    );
    return promise;
  }
}
