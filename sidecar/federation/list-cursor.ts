import { createHmac, timingSafeEqual } from 'node:crypto';

/** A server that has more items, and its own cursor; undefined where it is still to be asked from the start. */
export interface PendingServer {
  readonly server: string;
  readonly cursor: string | undefined;
}

/** What a cursor is for: it is good for this list of this endpoint alone. */
export interface CursorScope {
  /** The path of the endpoint. */
  readonly endpoint: string;
  readonly method: string;
}

const MAC_BYTES = 32;
/** Servers have cursors of a few hundred bytes; ours holds one for each. */
export const MAX_SERVER_CURSOR_LENGTH = 4_096;

/**
 * Cursors of merged lists (MCP, Pagination): which servers have more, and where each is to go on. The sidecar keeps nothing for them.
 * They are authenticated, so that nobody but the sidecar can say what is asked of which server under the name of a list.
 */
export class ListCursors {
  readonly #key: Uint8Array;

  /** @param key at least 32 random bytes */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Undefined when no server has more. */
  encode(scope: CursorScope, pending: readonly PendingServer[]): string | undefined {
    if (pending.length === 0) return undefined;
    const payload = Buffer.from(JSON.stringify(pending.map(({ server, cursor }) => (cursor === undefined ? [server] : [server, cursor]))));
    return Buffer.concat([this.#mac(scope, payload), payload]).toString('base64url');
  }

  /** Undefined when it is not a cursor of ours for this list. */
  decode(scope: CursorScope, cursor: string): readonly PendingServer[] | undefined {
    const bytes = Buffer.from(cursor, 'base64url');
    if (bytes.length <= MAC_BYTES || bytes.toString('base64url') !== cursor) return undefined;
    const payload = bytes.subarray(MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), this.#mac(scope, payload))) return undefined;
    const entries = JSON.parse(payload.toString()) as [string, string?][];
    return entries.map(([server, own]) => ({ server, cursor: own }));
  }

  #mac({ endpoint, method }: CursorScope, payload: Uint8Array): Buffer {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([endpoint, method]))
      .update('\0')
      .update(payload)
      .digest();
  }
}
