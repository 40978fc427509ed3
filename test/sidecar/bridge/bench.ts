import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, ok } from '../../../extauthz/api/result.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { BridgeLeg } from '../../../sidecar/bridge/bridge-leg.ts';
import type { BridgeOptions } from '../../../sidecar/bridge/bridge-options.ts';
import { denied } from '../../../sidecar/denial.ts';
import type { Permit } from '../../../sidecar/permit.ts';
import { type AnswerController, type AnswerHandler, AnswerWithheld } from '../../../sidecar/relay.ts';
import type { Route } from '../../../sidecar/routes.ts';
import { SessionSeal } from '../../../sidecar/session-seal.ts';

/** All at one URL: what is registered apart is kept apart all the same. */
const ROUTES: readonly Route[] = (['modern', 'legacy'] as const).flatMap((bridgeTo) =>
  ['one', 'two'].map((name) => ({ name: `${bridgeTo}-${name}`, url: new URL('http://one.example/mcp'), bridgeTo })),
);

/** What only the decision makes in the product. */
export function permit(server: string, user: string | undefined, credential = ''): Permit {
  const principal = user === undefined ? undefined : { user: { id: user } };
  const obligations = { setHeaders: credential === '' ? [] : [{ name: 'x-api-key', value: credential }], removeHeaders: [], credential };
  const route = ROUTES.find(({ name }) => name === server);
  return { route, decision: { principal, obligations }, userToken: `token of ${user}` } as unknown as Permit;
}

export interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** A request as a server gets it. */
export interface Sent {
  readonly http: string;
  readonly headers: Record<string, string>;
  readonly message: Message;
  /** Whether the answer was given up. */
  readonly isAborted: () => boolean;
}

/** What a server says to a request: one message, several on a stream that stays open (and one more, later), or an HTTP status. */
type Says =
  | { readonly message: Message }
  | { readonly stream: readonly Message[]; readonly later?: readonly [when: Promise<void>, message: Message] }
  | { readonly status: number };

export const answer = (id: unknown, result: Record<string, unknown>) => ({ jsonrpc: '2.0', id, result });

/** A server of either era that gives the plainest answers. */
export function plain({ message: { id, method }, http }: Sent): Says {
  if (http !== 'POST') return { status: 405 };
  if (method === undefined || method.startsWith('notifications/')) return { status: 202 };
  const info = { capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } };
  if (method === 'initialize') return { message: answer(id, { protocolVersion: '2025-11-25', ...info }) };
  const result = { resultType: 'complete', ttlMs: 0, cacheScope: 'private', content: [], tools: [] };
  return { message: answer(id, { ...result, ...(method === 'server/discover' && { supportedVersions: ['2026-07-28'], ...info }) }) };
}

/** A bridge whose servers, policy and clock are the test's. */
export class Bench {
  readonly leg: BridgeLeg;
  readonly sent: Sent[] = [];
  says: (request: Sent) => Says = plain;
  /** What policy says of messages that the bridge asks about. */
  allows: (method: string) => boolean = () => true;
  routes = ROUTES;
  nowMs = 0;
  #sessions = 0;

  constructor(t: TestContext, changes: Partial<BridgeOptions> = {}) {
    let ids = 0;
    this.leg = new BridgeLeg({
      send: (_permit, { method, headers, body = new Uint8Array() }, handler) => {
        this.#serve(method, headers, body.length === 0 ? {} : JSON.parse(Buffer.from(body).toString()), handler);
      },
      authorize: async (caller, { method }) =>
        this.allows(method) ? ok(caller) : fail(denied('forbidden', 'policy has come to deny this', 'id', 'revision')),
      routeOf: (name) => this.routes.find((route) => route.name === name),
      requestStates: new SessionSeal(new Uint8Array(32)),
      maxMessageBytes: 65_536,
      maxRequestBytes: 65_536,
      answerTimeoutMs: 10_000,
      idleMs: 60_000,
      clock: { monotonicMs: () => this.nowMs, unixMs: () => 0 },
      newId: () => `secret-${++ids}`,
      logger: createLogger('test', 'silent'),
      ...changes,
    });
    t.after(() => this.leg.close());
  }

  /** What was sent with this method; `DELETE` and `GET` are methods, too. */
  sentWith(method: string): Sent[] {
    return this.sent.filter(({ http, message }) => (http === 'POST' ? message.method : http) === method);
  }

  #serve(http: string, headers: Record<string, string>, message: Message, handler: AnswerHandler): void {
    let aborted = false;
    const request: Sent = { http, headers, message, isAborted: () => aborted };
    const controller = { abort: () => (aborted = true), pause() {}, resume() {} } as unknown as AnswerController;
    this.sent.push(request);
    handler.onRequestStart?.(controller, {});
    const said = this.says(request);
    const begin = (status: number, fields: Record<string, string>) => handler.onResponseStart?.(controller, status, fields);
    setImmediate(() => {
      if ('status' in said) begin(said.status, { 'content-length': '0' });
      else if ('message' in said) {
        begin(200, {
          'content-type': 'application/json',
          ...(message.method === 'initialize' && { 'mcp-session-id': `session-${++this.#sessions}` }),
        });
        handler.onResponseData?.(controller, Buffer.from(JSON.stringify(said.message)));
      } else {
        begin(200, { 'content-type': 'text/event-stream' });
        const say = (each: Message) => handler.onResponseData?.(controller, Buffer.from(`data: ${JSON.stringify(each)}\n\n`));
        said.stream.forEach(say);
        const [when, last] = said.later ?? [];
        if (last !== undefined) void when?.then(() => say(last));
        return;
      }
      if (!aborted) handler.onResponseEnd?.(controller, {});
    });
  }
}

export interface Got {
  readonly status: number;
  readonly session: string | undefined;
  readonly messages: readonly Message[];
  /** The reason why there is no answer. */
  readonly refusal: string;
}

/** Settles when the answer is over; `onMessages` hears of what has come until then. */
export function got(use: (handler: AnswerHandler) => void, onMessages: (messages: readonly Message[]) => void = () => {}): Promise<Got> {
  return new Promise((resolve) => {
    let head: Pick<Got, 'status' | 'session'> = { status: 0, session: undefined };
    let text = '';
    const messages = (): readonly Message[] => {
      if (text.startsWith('event:')) return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ''));
      return text === '' ? [] : [JSON.parse(text)];
    };
    const over = (refusal: string) => resolve({ ...head, messages: messages(), refusal });
    use({
      onResponseStart: (_controller, status, { 'mcp-session-id': session }) => {
        head = { status, session: typeof session === 'string' ? session : undefined };
      },
      onResponseData: (_controller, chunk) => {
        text += chunk;
        onMessages(messages());
      },
      onResponseEnd: () => over(''),
      onResponseError: (_controller, error) => over(error instanceof AnswerWithheld ? error.refusal.reason : String(error)),
    });
  });
}

export async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    assert.ok(tries < 2_000, 'not in time');
    await sleep(5);
  }
}
