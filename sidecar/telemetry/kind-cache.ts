import type { Decision } from '../../extauthz/api/decision.ts';
import type { Exchange } from '../exchange.ts';

interface Known<T> {
  readonly route: Exchange['route'];
  readonly method: string;
  readonly target: string;
  readonly protocolVersion: string;
  readonly httpVersion: string;
  readonly value: T;
}

/**
 * Keeps what is made of a message's kind: its decision, server, method, target and revisions, and nothing else of it.
 * An agent calls the same few tools over and over under decisions from the cache, so most records differ in little.
 */
export class KindCache<T> {
  readonly #make: (exchange: Exchange) => T;
  /** As long as the decision itself is kept. */
  readonly #known = new WeakMap<Decision, Known<T>>();

  constructor(make: (exchange: Exchange) => T) {
    this.#make = make;
  }

  get(exchange: Exchange): T {
    const { decision, cached, route, method, target, protocolVersion } = exchange;
    if (decision === undefined || !cached) return this.#make(exchange);
    const { httpVersion } = exchange.request;
    const known = this.#known.get(decision);
    if (
      known !== undefined &&
      known.route === route &&
      known.method === method &&
      known.target === target &&
      known.protocolVersion === protocolVersion &&
      known.httpVersion === httpVersion
    )
      return known.value;
    const value = this.#make(exchange);
    this.#known.set(decision, { route, method, target, protocolVersion, httpVersion, value });
    return value;
  }
}
