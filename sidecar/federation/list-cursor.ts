import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

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

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Servers have cursors of a few hundred bytes; ours holds one for each. */
export const MAX_SERVER_CURSOR_LENGTH = 4_096;

/**
 * Cursors of merged lists (MCP, Pagination): which servers have more, and where each is to go on. The sidecar keeps nothing for them.
 * They are sealed (AES-256-GCM): nobody but the sidecar can say what is asked of which server under the name of a list, and nobody else can read which
 * servers there are, for some may be hidden from the user.
 */
export class ListCursors {
  readonly #key: Uint8Array;

  /** @param key 32 random bytes */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Undefined when no server has more. */
  encode(scope: CursorScope, pending: readonly PendingServer[]): string | undefined {
    if (pending.length === 0) return undefined;
    const payload = JSON.stringify(pending.map(({ server, cursor }) => (cursor === undefined ? [server] : [server, cursor])));
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(scopeBytes(scope));
    return Buffer.concat([nonce, cipher.update(payload), cipher.final(), cipher.getAuthTag()]).toString('base64url');
  }

  /** Undefined when it is not a cursor of ours for this list. */
  decode(scope: CursorScope, cursor: string): readonly PendingServer[] | undefined {
    const bytes = Buffer.from(cursor, 'base64url');
    if (bytes.length <= NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== cursor) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(scopeBytes(scope)).setAuthTag(bytes.subarray(-TAG_BYTES));
    let payload: string;
    try {
      payload = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString();
    } catch {
      return undefined; // Forged, or for another list.
    }
    const entries = JSON.parse(payload) as [string, string?][];
    return entries.map(([server, own]) => ({ server, cursor: own }));
  }
}

function scopeBytes({ endpoint, method }: CursorScope): Buffer {
  return Buffer.from(JSON.stringify([endpoint, method]));
}
