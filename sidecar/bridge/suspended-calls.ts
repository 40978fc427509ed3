import type { SessionSeal } from '../session-seal.ts';
import type { Caller } from './caller.ts';
import type { LegacyCall } from './legacy-call.ts';

export interface SuspendedCallsOptions {
  /** Of this process alone: the calls themselves do not outlive it. */
  readonly seal: SessionSeal;
  readonly newId: () => string;
  /** How long an agent may take to come back, in milliseconds. */
  readonly keepMs: number;
}

interface Suspended {
  readonly call: LegacyCall;
  readonly expiry: NodeJS.Timeout;
}

const MAX_SUSPENDED = 1_000;
const MAX_OF_USER = 64;

/**
 * Calls that wait for their agent to come back, each under a `requestState` that is good once, for one user, server, method and set of parameters.
 */
export class SuspendedCalls {
  readonly #options: SuspendedCallsOptions;
  readonly #calls = new Map<string, Suspended & { readonly userId: string }>();

  constructor(options: SuspendedCallsOptions) {
    this.#options = options;
  }

  /** The `requestState` that brings the call back; undefined when too many wait already. */
  add(call: LegacyCall, caller: Caller): string | undefined {
    const owner = ownerOf(caller);
    const ofUser = [...this.#calls.values()].filter(({ userId }) => userId === owner.userId).length;
    if (this.#calls.size >= MAX_SUSPENDED || ofUser >= MAX_OF_USER) return undefined;
    const id = this.#options.newId();
    const expiry = setTimeout(() => {
      this.#calls.delete(id);
      call.cancel();
    }, this.#options.keepMs).unref();
    this.#calls.set(id, { call, expiry, userId: owner.userId });
    return this.#options.seal.seal(owner, JSON.stringify([id, call.method, call.digest]));
  }

  /** The call that this state brings back, which is not to be had again. */
  take(caller: Caller, requestState: string, method: string, digest: string): LegacyCall | undefined {
    const opened = this.#options.seal.open(ownerOf(caller), requestState);
    if (opened === undefined) return undefined;
    const [id, itsMethod, itsDigest] = JSON.parse(opened) as string[];
    const suspended = this.#calls.get(id ?? '');
    if (suspended === undefined || itsMethod !== method || itsDigest !== digest) return undefined;
    this.#forget(id ?? '', suspended);
    return suspended.call;
  }

  drop(call: LegacyCall): void {
    for (const [id, suspended] of this.#calls) if (suspended.call === call) this.#forget(id, suspended);
  }

  #forget(id: string, { expiry }: Suspended): void {
    clearTimeout(expiry);
    this.#calls.delete(id);
  }
}

function ownerOf({ permit: { route, decision } }: Caller): { userId: string; server: string } {
  return { userId: decision.principal?.user.id ?? '', server: route.name };
}
