interface Entry<V> {
  readonly value: V;
  /** How long it is kept after its last use, in milliseconds. */
  readonly keptMs: number;
  usedAtMs: number;
}

/**
 * What is remembered of many owners, within one bound. When that is reached, what is over goes, else the oldest of whoever has most: nobody can push
 * out what others have. Times are monotonic milliseconds, given by the caller.
 */
export class OwnedEntries<V> {
  readonly #maxEntries: number;
  /** The entries of each owner by name, the least recently used first. */
  readonly #owners = new Map<string, Map<string, Entry<V>>>();
  #size = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  set(owner: string, name: string, value: V, keptMs: number, nowMs: number): void {
    this.#forget(owner, name);
    if (this.#size >= this.#maxEntries) this.#makeRoom(nowMs);
    const entries = this.#owners.get(owner) ?? new Map<string, Entry<V>>();
    entries.set(name, { value, keptMs, usedAtMs: nowMs });
    this.#owners.set(owner, entries);
    this.#size += 1;
  }

  /** The value, which counts as used; undefined when there is none, or none any more. */
  get(owner: string, name: string, nowMs: number): V | undefined {
    const entries = this.#owners.get(owner);
    const entry = entries?.get(name);
    if (entries === undefined || entry === undefined) return undefined;
    if (isOver(entry, nowMs)) {
      this.#forget(owner, name);
      return undefined;
    }
    entry.usedAtMs = nowMs;
    entries.delete(name);
    entries.set(name, entry);
    return entry.value;
  }

  /** Whether any owner has an entry of this name. */
  has(name: string, nowMs: number): boolean {
    for (const entries of this.#owners.values()) {
      const entry = entries.get(name);
      if (entry !== undefined && !isOver(entry, nowMs)) return true;
    }
    return false;
  }

  hasOwner(owner: string): boolean {
    return this.#owners.has(owner);
  }

  #forget(owner: string, name: string): void {
    const entries = this.#owners.get(owner);
    if (entries?.delete(name) !== true) return;
    this.#size -= 1;
    if (entries.size === 0) this.#owners.delete(owner);
  }

  #makeRoom(nowMs: number): void {
    for (const [owner, entries] of this.#owners) {
      for (const [name, entry] of entries) if (isOver(entry, nowMs)) this.#forget(owner, name);
    }
    while (this.#size >= this.#maxEntries) {
      const [owner, entries] = [...this.#owners].reduce((most, other) => (other[1].size > most[1].size ? other : most));
      const [oldest] = entries.keys();
      if (oldest !== undefined) this.#forget(owner, oldest);
    }
  }
}

function isOver({ usedAtMs, keptMs }: Entry<unknown>, nowMs: number): boolean {
  return nowMs - usedAtMs > keptMs;
}
