import { hash } from 'node:crypto';
import type { Admitted } from './admitted.ts';
import { OwnedEntries } from './owned-entries.ts';

const MAX_STATES = 10_000;
/** As long as a person may take to answer what the state waits for. */
const KEPT_MS = 24 * 3_600_000;

type Params = Readonly<Record<string, unknown>>;

/**
 * To whom each `requestState` was given (MCP 2026-07-28, multi round-trip requests), and for which tool, prompt or resource. A retry with one that
 * was given to somebody else, or for something else, is refused.
 *
 * One that is not known goes to its server, which is to bind it to the user itself: after a restart of the sidecar, or from another pod, an agent
 * must be able to go on. Only hashes are kept: a state may hold anything, and is nobody's to read but its server's.
 */
export class RequestStates {
  readonly #monotonicMs: () => number;
  /** By user and state, for what it was given. Servers without state of their own may give many the same. */
  readonly #given: OwnedEntries<Set<string>>;

  constructor(monotonicMs: () => number, maxStates = MAX_STATES) {
    this.#monotonicMs = monotonicMs;
    this.#given = new OwnedEntries(maxStates);
  }

  /** Takes note of the state in a result, if there is one. */
  answered(admitted: Admitted, { requestState }: Params): void {
    if (typeof requestState !== 'string') return;
    const user = userOf(admitted);
    const state = stateKey(admitted, requestState);
    const nowMs = this.#monotonicMs();
    const purposes = this.#given.get(user, state, nowMs) ?? new Set<string>();
    purposes.add(purposeKey(admitted));
    this.#given.set(user, state, purposes, KEPT_MS, nowMs);
  }

  /** Whether the state in these parameters is known to be somebody else's, or for something else. */
  isForeign(admitted: Admitted, params: Params | undefined): boolean {
    const requestState = params?.['requestState'];
    if (typeof requestState !== 'string') return false;
    const state = stateKey(admitted, requestState);
    const nowMs = this.#monotonicMs();
    const purposes = this.#given.get(userOf(admitted), state, nowMs);
    return purposes === undefined ? this.#given.has(state, nowMs) : !purposes.has(purposeKey(admitted));
  }
}

function userOf({ permit }: Admitted): string {
  return permit.decision.principal?.user.id ?? '';
}

function stateKey({ permit }: Admitted, requestState: string): string {
  return hash('sha256', JSON.stringify([permit.route.name, requestState]), 'base64');
}

function purposeKey({ exchange }: Admitted): string {
  return hash('sha256', JSON.stringify([exchange.method, exchange.target]), 'base64');
}
