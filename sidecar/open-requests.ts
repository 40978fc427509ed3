/** Where a server's request went: the agent's user, at one server, in one session (empty without one). */
export interface Conversation {
  readonly userId: string;
  readonly server: string;
  readonly sessionId: string;
}

const MAX_OPEN = 10_000;

/**
 * Requests of servers that were let through and wait for the agent's answer. An answer is let through once, in the conversation in which it was asked for;
 * without this an agent could answer for somebody else, or what nobody asked.
 */
export class OpenRequests {
  /** Oldest first. */
  readonly #open = new Set<string>();

  /** @param idJson the request's id as it was sent */
  opened(conversation: Conversation, idJson: string): void {
    if (this.#open.size >= MAX_OPEN) {
      const [oldest] = this.#open;
      if (oldest !== undefined) this.#open.delete(oldest);
    }
    this.#open.add(requestKey(conversation, idJson));
  }

  /** Whether this answer is awaited; it is not any more afterwards. */
  take(conversation: Conversation, idJson: string): boolean {
    return this.#open.delete(requestKey(conversation, idJson));
  }
}

/** One text for each request. Ids are compared by value, since one side may write a string's characters in another way than the other did. */
export function requestKey({ userId, server, sessionId }: Conversation, idJson: string): string {
  return JSON.stringify([userId, server, sessionId, idJson.startsWith('"') ? JSON.parse(idJson) : { number: idJson }]);
}
