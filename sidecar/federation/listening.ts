import { changeEvent, LIST_KINDS, type ListKind } from '../list-changes.ts';
import { isEventStream } from '../relay.ts';
import { partsOf, responseIn } from './answer-parts.ts';
import { SERVER_INFO } from './capabilities.ts';
import { forEachOf, within } from './concurrency.ts';
import type { EventSink } from './event-sink.ts';
import { type Failure, failureIn, NO_ANSWER } from './failure.ts';
import { listenForServer } from './for-server.ts';
import { type FromServer, fromServer } from './from-server.ts';
import { federatedUri } from './names.ts';
import type { Reach } from './reach.ts';
import { isObject, readMessage } from './values-at.ts';

export interface ListeningOptions {
  readonly sink: EventSink;
  readonly reach: Reach;
  readonly servers: readonly string[];
  /** The `subscriptions/listen` request. */
  readonly body: Uint8Array;
  /** Its id as it was sent, which names the subscription. */
  readonly idJson: string;
  /** Lists whose changes are told. */
  readonly kinds: readonly ListKind[];
  readonly showsResources: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** How one server took its part: `idle` when it has nothing to tell of what was asked. */
type Part = { readonly kind: 'listening' | 'idle' } | { readonly kind: 'failed'; readonly failure: Failure };

const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';

/** One subscription (2026-07-28, `subscriptions/listen`) at several servers: acknowledged once, and told of what any of them tells. */
export class Listening {
  readonly #options: ListeningOptions;
  readonly #granted: string[] = [];
  readonly #begun = Promise.withResolvers<void>();
  #isBegun = false;
  #listening = 0;

  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /** Whether the agent has been sent the acknowledgement, which comes before everything else. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** Begins the subscription. Settles with every server's failure when none of them took part, and with none when the stream is open. */
  async begin(): Promise<readonly Failure[]> {
    const { servers, sink, kinds, timeoutMs } = this.#options;
    const parts = await forEachOf(servers, (server) => within(this.#listenTo(server), timeoutMs).catch(() => undefined));
    const failures = parts.flatMap((part) => (part === undefined ? [NO_ANSWER] : part.kind === 'failed' ? [part.failure] : []));
    if (failures.length === servers.length && servers.length > 0) return failures;
    sink.open();
    const notifications = {
      ...Object.fromEntries(kinds.map((kind) => [`${kind}ListChanged`, true])),
      ...(this.#granted.length > 0 && { resourceSubscriptions: this.#granted }),
    };
    const params = `{"notifications":${JSON.stringify(notifications)},"_meta":{"io.modelcontextprotocol/subscriptionId":${this.#options.idJson}}}`;
    await sink.message(Buffer.from(`{"jsonrpc":"2.0","method":"${ACKNOWLEDGED}","params":${params}}`));
    this.#isBegun = true;
    this.#begun.resolve();
    // Policy may change the lists, even where no server has anything to tell.
    if (this.#listening === 0 && kinds.length === 0) this.#finish();
    return [];
  }

  /** Settles when it is known how the server takes its part; what it tells later is passed on as it comes. */
  async #listenTo(server: string): Promise<Part> {
    const { reach, showsResources, signal } = this.#options;
    const body = listenForServer(this.#options.body, showsResources ? server : '');
    const sent = await reach.send(server, { body, signal });
    if (!sent.ok) return { kind: 'failed', failure: sent.failure };
    const answer = sent.value;
    if (!isEventStream(answer.headers)) {
      const response = await responseIn(answer);
      const message: unknown = response === undefined ? undefined : readMessage(response);
      const failure = failureIn(message);
      return failure === undefined ? { kind: 'idle' } : { kind: 'failed', failure };
    }
    const messages = messagesOf(server, partsOf(answer), this.#options.sink);
    const { value: first } = await messages.next();
    if (first === undefined) return { kind: 'failed', failure: NO_ANSWER };
    if (first.kind === 'response') {
      const failure = failureIn(first.message);
      return failure === undefined ? { kind: 'idle' } : { kind: 'failed', failure };
    }
    const isListening = first.method === ACKNOWLEDGED && this.#grant(server, first);
    if (isListening) this.#listening += 1;
    void this.#pass(messages, isListening);
    return { kind: isListening ? 'listening' : 'idle' };
  }

  /** Whether the server will tell anything. */
  #grant(server: string, { message }: FromServer): boolean {
    const params = message['params'];
    const granted = isObject(params) && isObject(params['notifications']) ? params['notifications'] : {};
    const uris = granted['resourceSubscriptions'];
    if (Array.isArray(uris)) this.#granted.push(...uris.flatMap((uri) => (typeof uri === 'string' ? [federatedUri(server, uri)] : [])));
    return Object.values(granted).some((value) => (Array.isArray(value) ? value.length > 0 : value === true));
  }

  async #pass(messages: AsyncGenerator<FromServer>, isListening: boolean): Promise<void> {
    const { sink, kinds, idJson } = this.#options;
    let isComplete = false;
    try {
      for await (const message of messages) {
        await this.#begun.promise;
        // The request path ends a stream that broke off with an error.
        isComplete = message.kind === 'response' && failureIn(message.message) === undefined;
        const changed = LIST_KINDS.find((kind) => message.method === `notifications/${kind}/list_changed`);
        if (changed !== undefined) {
          if (kinds.includes(changed)) sink.soon(changeEvent(changed, idJson));
        } else if (message.kind === 'notification' && message.method !== ACKNOWLEDGED) await sink.message(message.bytes);
      }
    } catch {
      // It broke off; the agent is told below.
    }
    if (!isListening) return;
    await this.#begun.promise;
    this.#listening -= 1;
    // The agent must learn that it will not be told of everything any more.
    if (!isComplete) sink.breakOff();
    else if (this.#listening === 0) this.#finish();
  }

  #finish(): void {
    const { sink, idJson } = this.#options;
    const meta = `{"io.modelcontextprotocol/subscriptionId":${idJson},"io.modelcontextprotocol/serverInfo":${JSON.stringify(SERVER_INFO)}}`;
    void sink.message(Buffer.from(`{"jsonrpc":"2.0","id":${idJson},"result":{"resultType":"complete","_meta":${meta}}}`));
    sink.end();
  }
}

/** The messages of one server; signs of life are passed on at once. */
async function* messagesOf(server: string, parts: ReturnType<typeof partsOf>, sink: EventSink): AsyncGenerator<FromServer> {
  for await (const { data } of parts) {
    const message = data === undefined || data.length === 0 ? undefined : fromServer(server, 'modern', data);
    if (message !== undefined) yield message;
    else if (sink.isOpen) await sink.pulse();
  }
}
