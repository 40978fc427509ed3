import type { Decision } from '../../extauthz/api/decision.ts';
import type { Lease } from './lease.ts';

const MAX_USER_TOKENS = 1_000;
const MAX_ENTRIES_PER_TOKEN = 10_000;
/** The agent chooses targets; longer ones are no tool's name, and would fill the memory. */
const MAX_TARGET_LENGTH = 1_024;

interface UserEntries {
  readonly decisions: Map<string, Decision>;
  /** Per list question: item name to whether it is shown. */
  readonly visibility: Map<string, Map<string, boolean>>;
  size: number;
}

/** What one decision is about. Everything a cacheable decision may have read is in here or in the user token. */
export interface Subject {
  readonly server: string;
  readonly method: string;
  readonly target: string;
}

/**
 * Decisions already made, by user token and subject.
 *
 * A decision is kept only when policy itself made it, reading neither arguments nor time, under the lease's revision.
 * An ALLOW is served only while the lease is live and neither token nor credential has expired; a DENY outlives the lease.
 * A new revision empties the cache.
 */
export class DecisionCache {
  readonly #lease: Lease;
  /** In order of last change, the oldest first. */
  readonly #users = new Map<string, UserEntries>();
  #revision = '';

  constructor(lease: Lease) {
    this.#lease = lease;
  }

  /** The revision that what is kept was decided under; empty before the first. */
  get revision(): string {
    return this.#revision;
  }

  find(userToken: string, subject: Subject, monotonicMs: number, unixMs: number): Decision | undefined {
    const decision = this.#user(userToken)?.decisions.get(key(subject));
    if (decision === undefined) return undefined;
    if (unixMs >= decision.expiresAtMs) return undefined;
    if (decision.effect === 'allow' && !this.#lease.isLive(monotonicMs)) return undefined;
    return decision;
  }

  keep(userToken: string, subject: Subject, decision: Decision): void {
    if (!isCacheable(decision) || subject.target.length > MAX_TARGET_LENGTH || !this.#isCurrent(decision.revision)) return;
    const user = this.#userOrNew(userToken);
    this.#makeRoom(user, 1);
    user.decisions.set(key(subject), decision);
    user.size += 1;
  }

  /** Whether each item of a list is shown; undefined when any of them is not known. */
  findVisible(userToken: string, subject: Subject, names: readonly string[], monotonicMs: number): boolean[] | undefined {
    if (!this.#lease.isLive(monotonicMs)) return undefined;
    const known = this.#user(userToken)?.visibility.get(key(subject));
    if (known === undefined) return undefined;
    const visible: boolean[] = [];
    for (const name of names) {
      const shown = known.get(name);
      if (shown === undefined) return undefined;
      visible.push(shown);
    }
    return visible;
  }

  keepVisible(userToken: string, subject: Subject, names: readonly string[], visible: readonly boolean[], revision: string): void {
    if (!this.#isCurrent(revision)) return;
    const user = this.#userOrNew(userToken);
    this.#makeRoom(user, names.length);
    const known = user.visibility.get(key(subject)) ?? new Map<string, boolean>();
    user.visibility.set(key(subject), known);
    for (const [index, name] of names.entries()) known.set(name, visible[index] === true);
    user.size += names.length;
  }

  /** Drops what was decided under another revision than the lease's. */
  dropOutdated(): void {
    if (this.#revision === this.#lease.revision) return;
    this.#revision = this.#lease.revision;
    this.#users.clear();
  }

  /** Drops every decision made for these users (`Principal.user.id`), and every visibility answer, which do not name their user. */
  revoke(userIds: readonly string[]): void {
    if (userIds.length === 0) return;
    const revoked = new Set(userIds);
    for (const [token, user] of this.#users) {
      const known = [...user.decisions.values()].some((decision) => revoked.has(decision.principal?.user.id ?? ''));
      if (known || user.decisions.size === 0) this.#users.delete(token);
    }
  }

  /** Forgets ALLOWs and the credentials in them; called when the lease has run out. */
  dropAllows(): void {
    for (const user of this.#users.values()) {
      user.visibility.clear();
      for (const [subject, decision] of user.decisions) if (decision.effect === 'allow') user.decisions.delete(subject);
      user.size = user.decisions.size;
    }
  }

  #isCurrent(revision: string): boolean {
    return revision !== '' && revision === this.#lease.revision && revision === this.#revision;
  }

  #user(userToken: string): UserEntries | undefined {
    return this.#users.get(userToken);
  }

  #userOrNew(userToken: string): UserEntries {
    let user = this.#users.get(userToken);
    if (user === undefined) {
      if (this.#users.size >= MAX_USER_TOKENS) {
        const [oldest] = this.#users.keys();
        if (oldest !== undefined) this.#users.delete(oldest);
      }
      user = { decisions: new Map(), visibility: new Map(), size: 0 };
    } else {
      this.#users.delete(userToken);
    }
    this.#users.set(userToken, user);
    return user;
  }

  #makeRoom(user: UserEntries, entries: number): void {
    if (user.size + entries <= MAX_ENTRIES_PER_TOKEN) return;
    user.decisions.clear();
    user.visibility.clear();
    user.size = 0;
  }
}

/** Policy's own answers may be kept; one that a missing token, key or credential caused may be different the next time. */
function isCacheable({ effect, code, vary }: Decision): boolean {
  if (vary.arguments || vary.time) return false;
  return effect === 'allow' || code === 'forbidden' || code === 'not_permitted';
}

function key({ server, method, target }: Subject): string {
  // The agent chooses method and target; the length keeps two subjects from sharing a key.
  return `${server}\0${method.length}\0${method}${target}`;
}
