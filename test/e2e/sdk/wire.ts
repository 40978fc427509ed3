/** One HTTP exchange of an SDK client, with what has arrived of its answer so far. */
export interface WireExchange {
  readonly method: string;
  readonly requestHeaders: Headers;
  /** The JSON-RPC message that was sent; undefined for GET and DELETE. */
  readonly sent: { readonly method?: string; readonly id?: string | number; readonly params?: Record<string, unknown> } | undefined;
  status: number;
  headers: Headers;
  text: string;
  /** Breaks the connection off, as a network does. */
  cut(): void;
}

/** The `fetch` that an SDK client is given: keeps what went over the wire, and breaks and holds connections when told to. */
export class Wire {
  readonly exchanges: WireExchange[] = [];
  #held: Promise<void> | undefined;
  #waiting: (() => void)[] = [];

  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const connection = new AbortController();
    const exchange: WireExchange = {
      method: init.method ?? 'GET',
      requestHeaders: new Headers(init.headers),
      sent: typeof init.body === 'string' ? JSON.parse(init.body) : undefined,
      status: 0,
      headers: new Headers(),
      text: '',
      cut: () => connection.abort(new Error('the connection broke')),
    };
    this.exchanges.push(exchange);
    if (exchange.method === 'GET') await this.#held;
    const signal = init.signal ? AbortSignal.any([init.signal, connection.signal]) : connection.signal;
    const response = await fetch(input, { ...init, signal });
    exchange.status = response.status;
    exchange.headers = response.headers;
    this.#changed();
    if (response.body === null) return response;
    const decoder = new TextDecoder();
    const body = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          exchange.text += decoder.decode(chunk, { stream: true });
          controller.enqueue(chunk);
          this.#changed();
        },
      }),
    );
    return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
  };

  /** From now on GETs wait until the returned function is called. */
  holdStreams(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return () => {
      this.#held = undefined;
      resolve();
    };
  }

  /** The first exchange, from the `from`th on, that fits; waits for it. */
  async find(fits: (exchange: WireExchange) => boolean, from = 0): Promise<WireExchange> {
    const giveUp = AbortSignal.timeout(20_000);
    for (;;) {
      const found = this.exchanges.slice(from).find(fits);
      if (found !== undefined) return found;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onTimeout = () => reject(new Error('no such exchange came'));
      giveUp.addEventListener('abort', onTimeout);
      this.#waiting.push(resolve);
      await promise;
      giveUp.removeEventListener('abort', onTimeout);
    }
  }

  /** Waits until the GET stream is open. */
  openStream(from = 0): Promise<WireExchange> {
    return this.find(({ method, status }) => method === 'GET' && status === 200, from);
  }

  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
