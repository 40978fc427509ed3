import { type EventText, endOfLine, readFields } from './sse-fields.ts';

/**
 * A part of an event stream that can be passed on by itself: an event with the blank line that ends it, or what lies between events
 * (a blank line, a comment). The parts of a stream together are its bytes, without a gap.
 */
export interface StreamPart extends EventText {
  /** As it was sent. */
  readonly raw: Uint8Array;
}

export interface StreamPush {
  /** What became complete, in order. */
  readonly parts: readonly StreamPart[];
  /** Set once an event is larger than allowed. Nothing is read after that; the parts given out are still good. */
  readonly fault: 'event_too_large' | undefined;
}

/** The same as the default limit on a body: one event carries one message. */
export const DEFAULT_MAX_EVENT_BYTES = 4_194_304;

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
/** U+FEFF, which may open a stream and belongs to no line. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Cuts an event stream (HTML, section 9.2.6) where its events end, whatever chunks it comes in. Nothing of an event is given out
 * before its blank line is there; what a stream that breaks off leaves unfinished is never given out, as no client may act on it.
 */
export class EventStreamReader {
  readonly #maxEventBytes: number;
  /** The unfinished part, as far as it came in earlier chunks. Grows by doubling, so that small chunks cost no more than large ones. */
  #held = new Uint8Array(0);
  #heldBytes = 0;
  #lineBytes = 0;
  #lineIsComment = false;
  /** Whether the unfinished part has a whole line. */
  #hasLine = false;
  /** The last byte was a CR; an LF now belongs to the same line end. */
  #afterCr = false;
  /** Bytes of the byte order mark seen; 3 also when there is none. */
  #markBytes = 0;
  #isFirstPart = true;
  #fault: StreamPush['fault'];

  constructor(maxEventBytes: number = DEFAULT_MAX_EVENT_BYTES) {
    this.#maxEventBytes = maxEventBytes;
  }

  /** Takes the next chunk. It must not change afterwards: parts share its memory. */
  push(chunk: Uint8Array): StreamPush {
    const parts: StreamPart[] = [];
    if (this.#fault !== undefined) return { parts, fault: this.#fault };
    let start = 0;
    let at = this.#skipByteOrderMark(chunk);
    while (at < chunk.length) {
      const byte = chunk[at];
      if (byte === CR || byte === LF) {
        const completesCrLf = byte === LF && this.#afterCr;
        at += byte === CR && chunk[at + 1] === LF ? 2 : 1;
        // A line ends at its CR, so as not to wait for an LF that may never come. One that comes in the next chunk goes by itself.
        this.#afterCr = chunk[at - 1] === CR;
        if (completesCrLf ? this.#heldBytes > 0 || start < at - 1 : !this.#endLine()) continue;
        const part = this.#complete(chunk.subarray(start, at));
        if (part === undefined) break;
        parts.push(part);
        start = at;
      } else {
        this.#afterCr = false;
        if (this.#lineBytes === 0) this.#lineIsComment = byte === COLON;
        const lineEnd = endOfLine(chunk, at);
        this.#lineBytes += lineEnd - at;
        at = lineEnd;
      }
    }
    if (this.#fault === undefined) this.#hold(chunk.subarray(start));
    return { parts, fault: this.#fault };
  }

  /** Ends the stream. Returns how many bytes of an unfinished event are dropped. */
  end(): number {
    const dropped = this.#heldBytes;
    this.#heldBytes = 0;
    return dropped;
  }

  #skipByteOrderMark(chunk: Uint8Array): number {
    let at = 0;
    while (this.#markBytes < BYTE_ORDER_MARK.length && at < chunk.length) {
      if (chunk[at] !== BYTE_ORDER_MARK[this.#markBytes]) {
        this.#lineBytes = this.#markBytes;
        this.#markBytes = BYTE_ORDER_MARK.length;
      } else {
        this.#markBytes += 1;
        at += 1;
      }
    }
    return at;
  }

  /** Whether the line that ends here completes a part. */
  #endLine(): boolean {
    const isBlank = this.#lineBytes === 0;
    // A comment between events belongs to none; held back until the next one, it would not keep the connection alive.
    const isLoneComment = !isBlank && this.#lineIsComment && !this.#hasLine;
    this.#lineBytes = 0;
    this.#hasLine = !isBlank && !isLoneComment;
    return !this.#hasLine;
  }

  #complete(last: Uint8Array): StreamPart | undefined {
    if (this.#heldBytes + last.length > this.#maxEventBytes) {
      this.#fault = 'event_too_large';
      return undefined;
    }
    const raw = this.#heldBytes === 0 ? last : Buffer.concat([this.#held.subarray(0, this.#heldBytes), last]);
    this.#heldBytes = 0;
    const hasMark = this.#isFirstPart && BYTE_ORDER_MARK.every((byte, index) => raw[index] === byte);
    this.#isFirstPart = false;
    return { raw, ...readFields(raw, hasMark ? BYTE_ORDER_MARK.length : 0) };
  }

  #hold(rest: Uint8Array): void {
    const needed = this.#heldBytes + rest.length;
    if (needed > this.#maxEventBytes) {
      this.#fault = 'event_too_large';
      return;
    }
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.max(needed, this.#held.length * 2));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(rest, this.#heldBytes);
    this.#heldBytes = needed;
  }
}
