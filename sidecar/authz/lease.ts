/**
 * The policy service's promise that its last answers still hold. Each `Watch` event renews it;
 * when it runs out, cached ALLOWs must not be used. Times are monotonic milliseconds, given by the caller.
 */
export class Lease {
  #endsAtMs = Number.NEGATIVE_INFINITY;
  #revision = '';

  /** The revision the lease is for; empty before the first event. */
  get revision(): string {
    return this.#revision;
  }

  renew(revision: string, leaseMs: number, nowMs: number): void {
    this.#revision = revision;
    this.#endsAtMs = nowMs + leaseMs;
  }

  isLive(nowMs: number): boolean {
    return nowMs < this.#endsAtMs;
  }
}
