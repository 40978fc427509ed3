/** The lists whose change a client can be told of. */
export const LIST_KINDS = ['tools', 'prompts', 'resources'] as const;
export type ListKind = (typeof LIST_KINDS)[number];

/** An event stream on which a client hears of changed lists. */
export interface ListeningStream {
  readonly kinds: readonly ListKind[];
  /** The id of the `subscriptions/listen` request as it was sent (2026-07-28); undefined on a legacy GET stream. */
  readonly subscriptionIdJson: string | undefined;
  /** Writes one whole event. */
  readonly write: (event: Uint8Array) => void;
}

const MAX_SESSIONS = 10_000;

/**
 * Tells clients with an open stream that their lists may have changed, when policy did. Without an SSE `id`, so that resumption is not disturbed,
 * and only what the server promised to tell (legacy) or the client asked to hear (modern). Many clients ignore it: the check at call time is the control.
 */
export class ListChanges {
  readonly #streams = new Set<ListeningStream>();
  /** What each legacy session's server said it would announce, by sealed session id. */
  readonly #advertised = new Map<string, readonly ListKind[]>();

  /** Takes note of the capabilities in an `initialize` result. */
  initialized(sealedSessionId: string, capabilities: unknown): void {
    if (this.#advertised.size >= MAX_SESSIONS) this.#advertised.clear();
    this.#advertised.set(sealedSessionId, advertisedKinds(capabilities));
  }

  advertised(sealedSessionId: string): readonly ListKind[] {
    return this.#advertised.get(sealedSessionId) ?? [];
  }

  /** @returns a function to call when the stream has ended */
  opened(stream: ListeningStream): () => void {
    this.#streams.add(stream);
    return () => this.#streams.delete(stream);
  }

  /** Called when the policy revision has changed. */
  announce(): void {
    for (const { kinds, subscriptionIdJson, write } of this.#streams) {
      for (const kind of kinds) write(Buffer.from(changeEvent(kind, subscriptionIdJson)));
    }
  }
}

/** The kinds that a `subscriptions/listen` request asks for. */
export function subscribedKinds(notifications: unknown): readonly ListKind[] {
  return LIST_KINDS.filter((kind) => member(notifications, `${kind}ListChanged`) === true);
}

function advertisedKinds(capabilities: unknown): readonly ListKind[] {
  return LIST_KINDS.filter((kind) => member(member(capabilities, kind), 'listChanged') === true);
}

/** A whole event that tells of a changed list. */
export function changeEvent(kind: ListKind, subscriptionIdJson: string | undefined): string {
  const meta =
    subscriptionIdJson === undefined ? '' : `,"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":${subscriptionIdJson}}}`;
  return `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/${kind}/list_changed"${meta}}\n\n`;
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
