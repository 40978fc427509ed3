import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { changeEvent, LIST_KINDS, type ListKind } from '../list-changes.ts';
import { isEventStream } from '../relay.ts';
import { partsOf } from './answer-parts.ts';
import { within } from './concurrency.ts';
import type { EventSink } from './event-sink.ts';
import { type FromServer, fromServer } from './from-server.ts';
import type { InnerSession, InnerSessions } from './inner-sessions.ts';
import { type SplitName, streamEventId } from './names.ts';
import type { RequestsUnderWay } from './requests-under-way.ts';

export interface LegacyStreamOptions {
  readonly sink: EventSink;
  readonly sessions: InnerSessions;
  readonly underWay: RequestsUnderWay;
  readonly headers: OutgoingHttpHeaders;
  /** Lists whose changes are told. */
  readonly kinds: readonly ListKind[];
  /** Whether resources are shown. */
  readonly showsResources: boolean;
  /** Where one server's stream is to be resumed. */
  readonly resume: SplitName | undefined;
  readonly signal: AbortSignal;
}

const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 30_000;

/** What the servers of one session say by themselves (revisions to 2025-11-25, GET), as one stream. */
export class LegacyStream {
  readonly #options: LegacyStreamOptions;
  readonly #followed = new Set<InnerSession>();
  readonly #opening: Promise<void>[] = [];
  readonly #begun = Promise.withResolvers<void>();

  constructor(options: LegacyStreamOptions) {
    this.#options = options;
  }

  /** Tells the agent that there is a stream, once the servers that are followed have theirs: what they say from then on is heard. */
  async begin(timeoutMs: number): Promise<void> {
    await within(Promise.all(this.#opening), timeoutMs);
    this.#options.sink.open();
    this.#begun.resolve();
  }

  /** Listens to one more server, until the agent goes away or the server has no more to say. */
  follow(session: InnerSession): void {
    if (this.#followed.has(session)) return;
    this.#followed.add(session);
    const opening = Promise.withResolvers<void>();
    this.#opening.push(opening.promise);
    this.#follow(session, opening.resolve)
      .catch(() => undefined)
      .finally(() => {
        opening.resolve();
        this.#followed.delete(session);
      });
  }

  /** A stream that ends is opened again after a while, as a client would; its session may have ended meanwhile, which its server says then. */
  async #follow(session: InnerSession, onOpened: () => void): Promise<void> {
    const { resume, signal } = this.#options;
    let lastEventId = resume?.server === session.server ? resume.own : undefined;
    for (let delayMs = FIRST_DELAY_MS; !signal.aborted; delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)) {
      const startedAt = performance.now();
      const answer = await this.#options.sessions.stream(session, this.#options.headers, lastEventId, signal);
      if (answer.statusCode !== 200 || !isEventStream(answer.headers)) {
        answer.resume();
        return;
      }
      onOpened();
      await this.#begun.promise;
      try {
        for await (const id of this.#pass(session, answer)) lastEventId = id;
      } catch {
        // It broke off.
      }
      if (performance.now() - startedAt > MAX_DELAY_MS) delayMs = FIRST_DELAY_MS;
      await sleep(delayMs, undefined, { signal });
    }
  }

  /** Passes one stream on. Gives out the ids of its events. */
  async *#pass({ server }: InnerSession, answer: IncomingMessage): AsyncGenerator<string> {
    const { sink, underWay } = this.#options;
    for await (const { data, id: own, retry } of partsOf(answer)) {
      const id = own === undefined || own === '' ? undefined : streamEventId(server, own);
      const message = data === undefined || data.length === 0 ? undefined : fromServer(server, 'legacy', data);
      if (message === undefined || !underWay.isHeard(server, message)) await sink.pulse({ id, retry });
      else if (!this.#tellChange(message) && this.#isShown(message)) await sink.message(message.bytes, { id, retry });
      if (own !== undefined && own !== '') yield own;
    }
  }

  #tellChange({ method }: FromServer): boolean {
    const changed = LIST_KINDS.find((kind) => method === `notifications/${kind}/list_changed`);
    if (changed === undefined) return false;
    if (this.#options.kinds.includes(changed)) this.#options.sink.soon(changeEvent(changed, undefined));
    return true;
  }

  #isShown({ method }: FromServer): boolean {
    return method !== 'notifications/resources/updated' || this.#options.showsResources;
  }
}
