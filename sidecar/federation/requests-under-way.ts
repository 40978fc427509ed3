import { hash } from 'node:crypto';
import type { FromServer } from './from-server.ts';
import { isObject } from './values-at.ts';

interface UnderWay {
  readonly servers: readonly string[];
  /** The one server whose answer is the agent's; undefined where the endpoint answers by itself. */
  readonly answeredBy: string | undefined;
}

/** What is remembered of one session, of each kind. */
const MAX_REMEMBERED = 1_000;
const MAX_KEY_LENGTH = 64;

/**
 * Which server each request of the agent's went to, until it is answered. To the agent all servers are one, so that ids and progress tokens alone do
 * not say whose they are: without this a server could answer what another one was asked.
 */
export class RequestsUnderWay {
  readonly #requests = new Map<string, UnderWay>();
  /** By progress token. They outlive the answer: the task that a call made reports under them as well. */
  readonly #progress = new Map<string, string>();
  readonly #isWholeConversation: boolean;

  /** @param isWholeConversation whether requests that are not known here may have been made before: false where there is one call and nothing else */
  constructor(isWholeConversation: boolean) {
    this.#isWholeConversation = isWholeConversation;
  }

  /** A request to several servers, whose answers become one. */
  asked(id: unknown, servers: readonly string[]): void {
    remember(this.#requests, id, { servers, answeredBy: undefined });
  }

  /** A request to one server. */
  called(id: unknown, server: string, progressToken: unknown): void {
    remember(this.#requests, id, { servers: [server], answeredBy: server });
    remember(this.#progress, progressToken, server);
  }

  answered(id: unknown): void {
    this.#requests.delete(keyOf(id));
  }

  /** The servers that a request went to which is not answered. */
  serversOf(id: unknown): readonly string[] {
    return this.#requests.get(keyOf(id))?.servers ?? [];
  }

  /**
   * Whether a message is one that this server has to say, and not another.
   * @param calledIdJson the id of the request that it is sent in answer to, if any: an agent that uses an id twice still gets both answers
   */
  isHeard(server: string, { kind, method, message }: FromServer, calledIdJson?: string): boolean {
    if (kind === 'response') return this.#isAnswerOf(server, message, calledIdJson);
    if (method !== 'notifications/progress') return true;
    const params = message['params'];
    const asker = this.#progress.get(keyOf(isObject(params) ? params['progressToken'] : undefined));
    return asker === undefined ? this.#isWholeConversation : asker === server;
  }

  #isAnswerOf(server: string, { id, error }: FromServer['message'], calledIdJson: string | undefined): boolean {
    // A server that could not read a request does not know its id; no client takes that for an answer to any.
    if (id === undefined || id === null) return error !== undefined;
    const isOfCall = calledIdJson !== undefined && JSON.parse(calledIdJson) === id;
    return isOfCall || this.#requests.get(keyOf(id))?.answeredBy === server;
  }
}

function remember<T>(known: Map<string, T>, key: unknown, value: T): void {
  if (key === undefined) return;
  const [oldest] = known.keys();
  if (known.size >= MAX_REMEMBERED && oldest !== undefined) known.delete(oldest);
  known.set(keyOf(key), value);
}

/** Ids and tokens may be as long as messages; what is remembered of them is not. */
function keyOf(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.length <= MAX_KEY_LENGTH ? text : hash('sha256', text);
}
