import { hash } from 'node:crypto';

interface Expiring {
  readonly expiresAtMs: number;
}

/** Verified tokens, by hash. A hit saves the signature check; it never outlives the token. */
export interface VerificationCache<T extends Expiring> {
  get(token: string, nowMs: number): T | undefined;
  set(token: string, value: T, nowMs: number): void;
}

/** A withdrawn key must not live on in verified tokens, so an entry also ends after this time. */
const MAX_AGE_MS = 300_000;

/** @param maxEntries when full, the entry that was used longest ago makes room. */
export function createVerificationCache<T extends Expiring>(maxEntries: number): VerificationCache<T> {
  const entries = new Map<string, { readonly value: T; readonly untilMs: number }>();
  // The hash keeps tokens out of memory dumps and makes every key 44 characters long.
  const keyOf = (token: string) => hash('sha256', token, 'base64');
  return {
    get(token, nowMs) {
      const key = keyOf(token);
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      if (nowMs >= entry.untilMs) return undefined;
      entries.set(key, entry);
      return entry.value;
    },
    set(token, value, nowMs) {
      const untilMs = Math.min(value.expiresAtMs, nowMs + MAX_AGE_MS);
      if (untilMs <= nowMs) return;
      entries.set(keyOf(token), { value, untilMs });
      if (entries.size > maxEntries) entries.delete(entries.keys().next().value ?? '');
    },
  };
}
