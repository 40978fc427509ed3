import { type Conversation, requestKey } from '../open-requests.ts';

const MAX_OPEN = 10_000;
const MAX_KEY_LENGTH = 1_024;

/**
 * Calls that asked to be tasks (`params.task`, 2025-11-25) and whose answer is still to come. A stream that broke off is resumed on another
 * request, and only the id of the answer tells then which tool it belongs to.
 */
export class TaskCalls {
  /** Request to tool, the oldest first. */
  readonly #open = new Map<string, string>();

  /** @param idJson the call's id as it was sent */
  called(conversation: Conversation, idJson: string, tool: string): void {
    const key = requestKey(conversation, idJson);
    if (key.length > MAX_KEY_LENGTH || tool.length > MAX_KEY_LENGTH) return;
    this.#open.delete(key);
    if (this.#open.size >= MAX_OPEN) {
      const [oldest] = this.#open.keys();
      if (oldest !== undefined) this.#open.delete(oldest);
    }
    this.#open.set(key, tool);
  }

  /** The tool that was called with this id, once. */
  take(conversation: Conversation, idJson: string): string | undefined {
    const key = requestKey(conversation, idJson);
    const tool = this.#open.get(key);
    this.#open.delete(key);
    return tool;
  }
}
