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
  #breaking: { readonly method: string; readonly text: string } | undefined;
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
    const body = response.body.pipeThrough(this.#watched(exchange));
    return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
  };

  /** The next event stream that answers `method` ends after the event with this text; what came with it is lost, as it may be on a network. */
  breakAfter(method: string, text: string): void {
    this.#breaking = { method, text };
  }

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

  #watched(exchange: WireExchange): TransformStream<Uint8Array, Uint8Array> {
    const last = this.#breaking?.method === exchange.sent?.method ? this.#breaking?.text : undefined;
    if (last !== undefined) this.#breaking = undefined;
    const decoder = new TextDecoder();
    return new TransformStream({
      transform: (chunk, controller) => {
        const known = exchange.text.length;
        exchange.text += decoder.decode(chunk, { stream: true });
        const end = last === undefined ? undefined : endOfEvent(exchange.text, last);
        if (end === undefined) controller.enqueue(chunk);
        else {
          exchange.text = exchange.text.slice(0, end);
          controller.enqueue(new TextEncoder().encode(exchange.text.slice(known)));
          controller.terminate();
        }
        this.#changed();
      },
    });
  }

  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** Where the event that contains `text` ends; undefined until it has. */
function endOfEvent(stream: string, text: string): number | undefined {
  const at = stream.indexOf(text);
  const end = at < 0 ? -1 : stream.indexOf('\n\n', at);
  return end < 0 ? undefined : end + 2;
}
