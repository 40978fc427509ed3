/** Bytes of the length of a field that is written before its length is known: a varint may have leading zeros (Protocol Buffers, Encoding). */
const LENGTH_BYTES = 4;
/** A text of fewer UTF-16 units takes less than 128 bytes of UTF-8, so its length is one byte. */
const SHORT_TEXT = 42;
const TWO_TO_32 = 4_294_967_296;
const NS_PER_MS = 1_000_000;

export type AttributeValue = string | number | boolean | readonly string[];

/** Writes protobuf fields of OpenTelemetry's `trace.proto` and `common.proto` (1.x), one after the other, into a buffer that grows. */
export class OtlpWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** A copy of what was written; the writer starts again. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return taken;
  }

  /** Begins a length-delimited field. `tag` is its first byte: field number times 8, plus 2. Give the result to `close`. */
  open(tag: number): number {
    this.#reserve(1 + LENGTH_BYTES);
    this.#bytes[this.#at] = tag;
    this.#at += 1 + LENGTH_BYTES;
    return this.#at;
  }

  close(start: number): void {
    const length = this.#at - start;
    const bytes = this.#bytes;
    bytes[start - 4] = (length & 0x7f) | 0x80;
    bytes[start - 3] = ((length >> 7) & 0x7f) | 0x80;
    bytes[start - 2] = ((length >> 14) & 0x7f) | 0x80;
    bytes[start - 1] = (length >> 21) & 0x7f;
  }

  /** Fields that were written elsewhere. */
  raw(fields: Uint8Array): void {
    this.#reserve(fields.length);
    this.#bytes.set(fields, this.#at);
    this.#at += fields.length;
  }

  /** A `bytes` field from lower-case hexadecimal digits, fewer than 256. */
  hex(tag: number, digits: string): void {
    this.#reserve(2 + digits.length);
    const bytes = this.#bytes;
    bytes[this.#at] = tag;
    bytes[this.#at + 1] = digits.length >> 1;
    this.#at += 2;
    for (let index = 0; index < digits.length; index += 2) {
      bytes[this.#at++] = (nibble(digits.charCodeAt(index)) << 4) | nibble(digits.charCodeAt(index + 1));
    }
  }

  text(tag: number, text: string): void {
    this.#reserve(1 + LENGTH_BYTES + text.length * 3);
    if (text.length < SHORT_TEXT) {
      this.#bytes[this.#at] = tag;
      const length = this.#bytes.write(text, this.#at + 2);
      this.#bytes[this.#at + 1] = length;
      this.#at += 2 + length;
      return;
    }
    const start = this.open(tag);
    this.#at += this.#bytes.write(text, start);
    this.close(start);
  }

  /** @param value a whole number, not negative */
  varint(tag: number, value: number): void {
    this.#reserve(11);
    this.#bytes[this.#at++] = tag;
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  /** A `fixed64` of Unix nanoseconds, from milliseconds: a double keeps about a quarter of a microsecond. */
  nanoseconds(tag: number, unixMs: number): void {
    this.#reserve(9);
    const ns = unixMs * NS_PER_MS;
    const high = Math.floor(ns / TWO_TO_32);
    this.#bytes[this.#at] = tag;
    this.#fixed32(this.#at + 1, ns - high * TWO_TO_32);
    this.#fixed32(this.#at + 5, high);
    this.#at += 9;
  }

  /** A `fixed32` field whose number is 16 or more, so that its tag takes two bytes. */
  fixed32(tag: readonly [number, number], value: number): void {
    this.#reserve(6);
    this.#bytes[this.#at] = tag[0];
    this.#bytes[this.#at + 1] = tag[1];
    this.#fixed32(this.#at + 2, value);
    this.#at += 6;
  }

  /** A `KeyValue`; in a span its tag is 0x4a (field 9), in a resource 0x0a (field 1). */
  attribute(tag: number, key: string, value: AttributeValue): void {
    const pair = this.open(tag);
    this.text(0x0a, key);
    const any = this.open(0x12);
    if (typeof value === 'string') this.text(0x0a, value);
    else if (typeof value === 'boolean') this.varint(0x10, value ? 1 : 0);
    else if (typeof value === 'number') this.varint(0x18, value);
    else {
      const array = this.open(0x2a);
      for (const element of value) {
        const inside = this.open(0x0a);
        this.text(0x0a, element);
        this.close(inside);
      }
      this.close(array);
    }
    this.close(any);
    this.close(pair);
  }

  #fixed32(at: number, value: number): void {
    const bytes = this.#bytes;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + bytes));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

/** The value of a lower-case hexadecimal digit. */
function nibble(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}
