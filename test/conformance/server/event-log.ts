/** Keeps the events of one session, so that a client can fetch what it missed (`Last-Event-ID`). Both lines of the SDK take it. */
export class EventLog<Message extends object> {
  readonly #events: { readonly streamId: string; readonly message: Message | undefined }[] = [];

  async storeEvent(streamId: string, message: Message): Promise<string> {
    this.#events.push({ streamId, message });
    return String(this.#events.length);
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return this.#at(eventId)?.streamId;
  }

  async replayEventsAfter(lastEventId: string, { send }: { send: (eventId: string, message: Message) => Promise<void> }): Promise<string> {
    const last = this.#at(lastEventId);
    if (last === undefined) throw new RangeError('no such event');
    for (let number = Number(lastEventId) + 1; number <= this.#events.length; number += 1) {
      const event = this.#at(String(number));
      // The event that opens a stream carries no message; sent again, it would be one more opening.
      const isOpening = event?.message === undefined || Object.keys(event.message).length === 0;
      if (event?.message !== undefined && !isOpening && event.streamId === last.streamId) await send(String(number), event.message);
    }
    return last.streamId;
  }

  #at(eventId: string): { readonly streamId: string; readonly message: Message | undefined } | undefined {
    return this.#events[Number(eventId) - 1];
  }
}
