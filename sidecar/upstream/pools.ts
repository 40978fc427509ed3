import { type Dispatcher, Pool } from 'undici';

const MAX_CONNECTIONS_PER_ORIGIN = 1_024;
/**
 * A message that meets a connection which its server is just closing is lost, as nothing is sent twice. Servers close idle ones after 5 s mostly,
 * and not all of them say so. Undici's own clock runs in steps of half a second, and slow while the machine is busy, so there is a wide margin.
 */
const IDLE_CONNECTION_MS = 2_000;
const BEFORE_SERVER_CLOSES_MS = 3_000;

/** A request to a server. */
export interface PooledRequest {
  readonly url: URL;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array;
}

interface Place {
  readonly pool: Pool;
  readonly path: string;
}

/** Kept-alive connections to servers. Redirects are not followed and nothing is sent twice. */
export class Pools {
  readonly #pools = new Map<string, Pool>();
  readonly #places = new WeakMap<URL, Place>();
  readonly #headersTimeoutMs: number;

  constructor(headersTimeoutMs: number) {
    this.#headersTimeoutMs = headersTimeoutMs;
  }

  dispatch({ url, method, headers, body }: PooledRequest, answer: Dispatcher.DispatchHandler): void {
    const { pool, path } = this.#place(url);
    pool.dispatch({ path, method, headers, body: body === undefined || body.length === 0 ? null : body }, answer);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  /** What a URL means for a request; its parts would be put together anew each time that they are read. */
  #place(url: URL): Place {
    let place = this.#places.get(url);
    if (place === undefined) {
      place = { pool: this.#pool(url.origin), path: url.pathname + url.search };
      this.#places.set(url, place);
    }
    return place;
  }

  #pool(origin: string): Pool {
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, {
        connections: MAX_CONNECTIONS_PER_ORIGIN,
        pipelining: 1,
        allowH2: false,
        headersTimeout: this.#headersTimeoutMs,
        bodyTimeout: 0,
        connectTimeout: 5_000,
        keepAliveTimeout: IDLE_CONNECTION_MS,
        keepAliveTimeoutThreshold: BEFORE_SERVER_CLOSES_MS,
      });
      this.#pools.set(origin, pool);
    }
    return pool;
  }
}
