import { type Refusal, upstreamFailed } from '../denial.ts';
import type { AnswerStream } from '../stdio/answer-stream.ts';
import type { Caller } from './caller.ts';
import { type JsonObject, written } from './json-text.ts';
import type { LegacySession } from './legacy-session.ts';
import { type Message, resultResponse } from './message.ts';
import { META } from './meta-keys.ts';
import { onSubscription } from './modern-answer.ts';
import { announcedLists } from './modern-server.ts';

const MAX_URIS = 256;
/** Events that a slow reader has not taken; beyond this the subscription ends, for the session's stream is everybody's. */
const MAX_QUEUED_BYTES = 4_194_304;
const UPDATED = 'notifications/resources/updated';

/** One `subscriptions/listen` of a modern agent's, fed by the stream of its session with a legacy server. */
export class LegacyListening {
  readonly #session: LegacySession;
  readonly #caller: Caller;
  readonly #idJson: string;
  readonly #answer: AnswerStream;
  readonly #lists = new Set<string>();
  readonly uris = new Set<string>();
  #isOver = false;

  constructor(session: LegacySession, caller: Caller, message: Message, answer: AnswerStream) {
    this.#session = session;
    this.#caller = caller;
    this.#idJson = message.idJson ?? 'null';
    this.#answer = answer;
    answer.onAbort = () => this.#close();
  }

  /** Subscribes to what the server gives, and says so first of all. */
  async start(filter: JsonObject): Promise<Refusal | undefined> {
    const { name } = this.#session.route;
    const wanted = filter['resourceSubscriptions'] ?? [];
    if (!Array.isArray(wanted) || wanted.length > MAX_URIS || !wanted.every((uri) => typeof uri === 'string'))
      return upstreamFailed('upstream_answer', `a subscription names at most ${MAX_URIS} resources`);
    if (!this.#answer.canStream) return upstreamFailed('upstream_answer', 'a subscription needs an event stream');
    this.#session.listen(this);
    const capabilities = this.#session.handshake.objectAt('result', 'capabilities') ?? {};
    const hasStream = await this.#session.openStream(this.#caller);
    if (hasStream) {
      for (const list of announcedLists(capabilities)) if (filter[list] === true) this.#lists.add(list);
      const { resources } = capabilities;
      const canSubscribe = typeof resources === 'object' && resources !== null && (resources as JsonObject)['subscribe'] === true;
      for (const uri of canSubscribe ? (wanted as string[]) : []) await this.#subscribe(uri);
    }
    if (this.#isOver) return undefined;
    if (this.#answer.aborted) {
      this.#close();
      return undefined;
    }
    const lists = Object.fromEntries([...this.#lists].map((list) => [list, 'true']));
    const uris = this.uris.size === 0 ? null : JSON.stringify([...this.uris]);
    const notifications = written({ ...lists, resourceSubscriptions: uris });
    const params = written({ notifications, _meta: { [META.subscriptionId]: this.#idJson } });
    this.#answer.send(Buffer.from(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":${params}}`));
    // With nothing to tell there is nothing to wait for.
    if (notifications === '{}') this.end();
    else if (!hasStream) return upstreamFailed('upstream_answer', `the server ${name} has no stream for notifications`);
    return undefined;
  }

  take(message: Message): void {
    const { method, json } = message;
    const uri = json.at('params', 'uri');
    const [, kind] = /^notifications\/(tools|prompts|resources)\/list_changed$/.exec(method) ?? [];
    const isWanted = method === UPDATED ? typeof uri === 'string' && this.uris.has(uri) : this.#lists.has(`${kind}ListChanged`);
    if (!isWanted || this.#isOver || !this.#answer.canStream) return;
    this.#answer.send(onSubscription(message, this.#idJson));
    if (this.#answer.queuedBytes > MAX_QUEUED_BYTES) this.end();
  }

  /** Ends the subscription for the agent, which may open another. */
  end(): void {
    if (this.#isOver) return;
    this.#close();
    const result = written({ resultType: '"complete"', _meta: { [META.subscriptionId]: this.#idJson } });
    this.#answer.finish(resultResponse(this.#idJson, result));
  }

  async #subscribe(uri: string): Promise<void> {
    if (this.#isOver) return;
    if (!this.#session.isWanted(uri)) {
      const asked = await this.#session.ask(this.#caller, 'resources/subscribe', { uri });
      if (!asked.ok || asked.value.response.json.objectAt('result') === undefined) return;
    }
    if (!this.#isOver) this.uris.add(uri);
    else await this.#unsubscribe(uri);
  }

  async #unsubscribe(uri: string): Promise<void> {
    if (!this.#session.isWanted(uri)) await this.#session.unsubscribe(this.#caller, uri);
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#session.unlisten(this);
    for (const uri of this.uris) this.#unsubscribe(uri).catch((error: unknown) => this.#session.faulted(error));
  }
}
