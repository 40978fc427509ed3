import { type Dispatcher, Pool } from 'undici';
import type { Permit } from '../permit.ts';
import type { StdioLeg } from '../stdio-leg.ts';

const MAX_CONNECTIONS_PER_ORIGIN = 1_024;

/**
 * The JSON-RPC leg: one request to a server for each message that holds a permit, over kept-alive connections.
 * Redirects are not followed and nothing is sent twice.
 */
export class Upstreams {
  readonly #pools = new Map<string, Pool>();
  readonly #headersTimeoutMs: number;
  readonly #stdio: StdioLeg;

  constructor(headersTimeoutMs: number, stdio: StdioLeg) {
    this.#headersTimeoutMs = headersTimeoutMs;
    this.#stdio = stdio;
  }

  /** @param body the very bytes that were judged, trace context aside */
  forward(permit: Permit, headers: Record<string, string>, body: Uint8Array, answer: Dispatcher.DispatchHandler): void {
    const { url, stdio } = permit.route;
    if (stdio !== undefined) return this.#stdio.post(permit, headers, body, answer);
    this.#pool(url.origin).dispatch({ path: url.pathname + url.search, method: 'POST', headers, body }, answer);
  }

  /** Forwards a message whose answer can only be an acceptance (202), which nobody reads. */
  send(permit: Permit, headers: Record<string, string>, body: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.forward(permit, headers, body, {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData() {},
        onResponseEnd: () => resolve(),
        onResponseError: (_controller, error) => reject(error),
      });
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#pools.values()].map((pool) => pool.destroy()));
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
      });
      this.#pools.set(origin, pool);
    }
    return pool;
  }
}
