const MAX_HELD_BYTES = 1_048_576;

/** What a server says in a legacy session while no stream is open for it. The oldest gives way when it gets too much. */
export class HeldMessages {
  #messages: Uint8Array[] = [];
  #bytes = 0;

  /** Returns how many messages had to go. */
  add(message: Uint8Array): number {
    this.#messages.push(message);
    this.#bytes += message.length;
    let dropped = 0;
    for (; this.#bytes > MAX_HELD_BYTES; dropped += 1) this.#bytes -= this.#messages.shift()?.length ?? 0;
    return dropped;
  }

  take(): readonly Uint8Array[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    return messages;
  }
}
