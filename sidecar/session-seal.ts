import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';

/** Whose session it is. The seal's key belongs to one pod, so the pod is bound as well. */
export interface SessionOwner {
  readonly userId: string;
  readonly server: string;
}

interface Opened extends SessionOwner {
  readonly sessionId: string;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_REMEMBERED = 10_000;

/**
 * Gives the agent session ids of our own in place of the servers' (`Mcp-Session-Id`, revisions to 2025-11-25).
 *
 * A sealed id is AES-256-GCM over the server's id, authenticated with its owner: it says nothing about the server's id, and it opens for nobody else.
 * The nonce is derived from what is sealed, so that one session keeps one name, however often the server repeats it.
 */
export class SessionSeal {
  readonly #encryptionKey: Buffer;
  readonly #nonceKey: Buffer;
  /** Opened ids, by sealed id, since every request of a session carries one. */
  readonly #opened = new Map<string, Opened>();

  /** @param key at least 32 random bytes, of this pod alone */
  constructor(key: Uint8Array) {
    this.#encryptionKey = Buffer.from(hkdfSync('sha256', key, '', 'sidegate session encryption', 32));
    this.#nonceKey = Buffer.from(hkdfSync('sha256', key, '', 'sidegate session nonce', 32));
  }

  seal(owner: SessionOwner, sessionId: string): string {
    const bound = ownerText(owner);
    const nonce = createHmac('sha256', this.#nonceKey).update(bound).update('\0').update(sessionId).digest().subarray(0, NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#encryptionKey, nonce).setAAD(Buffer.from(bound));
    const sealed = Buffer.concat([nonce, cipher.update(sessionId), cipher.final(), cipher.getAuthTag()]).toString('base64url');
    this.#remember(owner, sealed, sessionId);
    return sealed;
  }

  /** The server's id, or undefined when the text is not a session of this owner. */
  open(owner: SessionOwner, sealed: string): string | undefined {
    const known = this.#opened.get(sealed);
    if (known !== undefined && known.userId === owner.userId && known.server === owner.server) return known.sessionId;
    const bound = ownerText(owner);
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length <= NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== sealed) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#encryptionKey, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(bound)).setAuthTag(bytes.subarray(-TAG_BYTES));
    let sessionId: string;
    try {
      sessionId = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString();
    } catch {
      return undefined; // Forged, of another pod, or somebody else's.
    }
    this.#remember(owner, sealed, sessionId);
    return sessionId;
  }

  #remember({ userId, server }: SessionOwner, sealed: string, sessionId: string): void {
    if (this.#opened.size >= MAX_REMEMBERED) this.#opened.clear();
    this.#opened.set(sealed, { userId, server, sessionId });
  }
}

/** As JSON, so that no two owners read alike. */
export function ownerText({ userId, server }: SessionOwner): string {
  return JSON.stringify([server, userId]);
}
