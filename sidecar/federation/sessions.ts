import { randomBytes } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Result } from '../../extauthz/api/result.ts';
import type { Failure } from './failure.ts';
import type { InnerSession, InnerSessions } from './inner-sessions.ts';
import type { Part, Reach } from './reach.ts';
import { RequestsUnderWay } from './requests-under-way.ts';

/** Whose session it is, and at which endpoint: anywhere else, and for anybody else, it does not exist. */
export interface Owner {
  readonly userId: string;
  readonly endpoint: string;
}

const ID_BYTES = 32;

/** A session of the agent's at an endpoint of several servers (revisions to 2025-11-25). */
export class FederatedSession {
  readonly id = randomBytes(ID_BYTES).toString('base64url');
  readonly owner: Owner;
  readonly inner: InnerSessions;
  readonly underWay = new RequestsUnderWay(true);
  lastUsedMs: number;
  /** Ends the stream that is open, if any. */
  endStream: (() => void) | undefined;
  onOpened: ((session: InnerSession) => void) | undefined;

  constructor(owner: Owner, nowMs: number, innerOf: (onOpened: (session: InnerSession) => void) => InnerSessions) {
    this.owner = owner;
    this.lastUsedMs = nowMs;
    this.inner = innerOf((session) => this.onOpened?.(session));
  }

  /** The way to the servers for one request. */
  reach(headers: OutgoingHttpHeaders, mayReopen: boolean): Reach {
    const send = (server: string, part: Part): Promise<Result<IncomingMessage, Failure>> =>
      this.inner.send(server, headers, part, mayReopen);
    return { send };
  }
}

/** The sessions of this pod, in memory: they end with the process, and clients open new ones then. */
export class FederatedSessions {
  readonly #maxSessions: number;
  readonly #idleMs: number;
  readonly #monotonicMs: () => number;
  /** Least recently used first. */
  readonly #byId = new Map<string, FederatedSession>();
  readonly #sweep: NodeJS.Timeout;

  constructor({ maxSessions, idleMs, monotonicMs }: { maxSessions: number; idleMs: number; monotonicMs: () => number }) {
    this.#maxSessions = maxSessions;
    this.#idleMs = idleMs;
    this.#monotonicMs = monotonicMs;
    this.#sweep = setInterval(() => this.#dropIdle(), Math.min(idleMs, 30_000)).unref();
  }

  add(session: FederatedSession): void {
    this.#byId.set(session.id, session);
    if (this.#byId.size > this.#maxSessions) this.#makeRoom();
  }

  find(id: string, owner: Owner): FederatedSession | undefined {
    const session = this.#byId.get(id);
    if (session === undefined || session.owner.userId !== owner.userId || session.owner.endpoint !== owner.endpoint) return undefined;
    this.#byId.delete(id);
    this.#byId.set(id, session);
    session.lastUsedMs = this.#monotonicMs();
    return session;
  }

  drop(session: FederatedSession): void {
    this.#byId.delete(session.id);
    session.endStream?.();
    session.inner.abandon();
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const session of this.#byId.values()) session.endStream?.();
  }

  /** Whoever has most sessions loses the one that was unused for longest: nobody can push out what others have. */
  #makeRoom(): void {
    const byUser = Map.groupBy(this.#byId.values(), ({ owner }) => owner.userId);
    const [oldest] = [...byUser.values()].reduce((most, other) => (other.length > most.length ? other : most), []);
    if (oldest !== undefined) this.drop(oldest);
  }

  /** The servers find out by themselves: the sidecar keeps no token with which it could tell them. */
  #dropIdle(): void {
    const oldestMs = this.#monotonicMs() - this.#idleMs;
    for (const session of this.#byId.values()) if (session.endStream === undefined && session.lastUsedMs < oldestMs) this.drop(session);
  }
}
