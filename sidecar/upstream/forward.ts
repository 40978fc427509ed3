import type { Dispatcher } from 'undici';
import type { Permit } from '../permit.ts';
import type { ServerLegs } from '../server-leg.ts';
import type { Pools } from './pools.ts';

/** The JSON-RPC leg: one request to a server for each message that holds a permit. */
export class Upstreams {
  readonly #pools: Pools;
  readonly #legs: ServerLegs;

  constructor(pools: Pools, legs: ServerLegs) {
    this.#pools = pools;
    this.#legs = legs;
  }

  /** @param body the very bytes that were judged, trace context aside */
  forward(permit: Permit, headers: Record<string, string>, body: Uint8Array, answer: Dispatcher.DispatchHandler): void {
    const leg = this.#legs(permit.route);
    if (leg !== undefined) leg.post(permit, headers, body, answer);
    else this.#pools.dispatch({ url: permit.route.url, method: 'POST', headers, body }, answer);
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
}
