export interface ReceivedNotification {
  readonly method: string;
  readonly params?: unknown;
}

const PATIENCE_MS = 20_000;

/** The notifications that a client received, in order. */
export class Inbox {
  readonly received: ReceivedNotification[] = [];
  #taken = 0;
  #wake: (() => void) | undefined;

  add(notification: ReceivedNotification): void {
    const { method, params } = notification;
    this.received.push({ method, ...(params === undefined ? {} : { params }) });
    this.#wake?.();
  }

  /** The next notification that fits, waiting for it. Those before it are passed over. */
  async next(method: string, text = ''): Promise<ReceivedNotification> {
    const giveUp = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const got = this.received.slice(this.#taken).map((notification) => JSON.stringify(notification));
      giveUp.reject(new Error(`no ${method} with "${text}" came, only: ${got.join(' ') || 'nothing'}`));
    }, PATIENCE_MS);
    try {
      for (;;) {
        while (this.#taken < this.received.length) {
          const notification = this.received[this.#taken++];
          if (notification?.method === method && JSON.stringify(notification).includes(text)) return notification;
        }
        await Promise.race([giveUp.promise, new Promise<void>((resolve) => (this.#wake = resolve))]);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
