import { isUtf8 } from 'node:buffer';
import type { JsonFault, JsonFaultKind, StrictJsonLimits } from './json-fault.ts';
import { escapeLength, utf8Text } from './json-structure.ts';

type FaultLimits = Required<Pick<StrictJsonLimits, 'maxDepth' | 'loneSurrogates'>>;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const LITERAL = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/**
 * Says where and why a refused JSON text is at fault: the first fault in the text, but encoding before grammar.
 * Slow and exact; `parseStrictJson` decides, this explains.
 */
export function locateJsonFault(bytes: Uint8Array, limits: FaultLimits): JsonFault {
  const utf8Fault = firstInvalidUtf8(bytes);
  if (utf8Fault !== undefined) return { kind: 'invalid_utf8', offset: utf8Fault, detail: 'not UTF-8' };
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    return { kind: 'byte_order_mark', offset: 0, detail: 'starts with a byte order mark' };
  }
  const search = new FaultSearch(bytes, limits);
  return search.run() ?? { kind: 'syntax', offset: 0, detail: 'not JSON' };
}

function firstInvalidUtf8(bytes: Uint8Array): number | undefined {
  if (isUtf8(bytes)) return undefined;
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at] as number;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (!isUtf8(bytes.subarray(at, at + length))) return at;
    at += length;
  }
  return undefined;
}

/** A recursive descent through the grammar of RFC 8259. Each step returns the fault it met, or moves `#at` past what it read. */
class FaultSearch {
  readonly #bytes: Uint8Array;
  /** One character a byte, so that offsets agree. */
  readonly #text: string;
  readonly #limits: FaultLimits;
  #at = 0;

  constructor(bytes: Uint8Array, limits: FaultLimits) {
    this.#bytes = bytes;
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    this.#limits = limits;
  }

  run(): JsonFault | undefined {
    const fault = this.#value(0);
    if (fault !== undefined) return fault;
    this.#skipWhitespace();
    return this.#at < this.#bytes.length ? this.#fault('syntax', 'more text after the value') : undefined;
  }

  #value(depth: number): JsonFault | undefined {
    this.#skipWhitespace();
    switch (this.#bytes[this.#at]) {
      case QUOTE:
        return this.#string(this.#limits.loneSurrogates);
      case OPEN_OBJECT:
        return depth < this.#limits.maxDepth ? this.#object(depth + 1) : this.#tooDeep();
      case OPEN_ARRAY:
        return depth < this.#limits.maxDepth ? this.#array(depth + 1) : this.#tooDeep();
      default:
        return this.#takePattern(NUMBER) || this.#takePattern(LITERAL) ? undefined : this.#fault('syntax', 'expected a value');
    }
  }

  #object(depth: number): JsonFault | undefined {
    this.#at += 1;
    if (this.#take(CLOSE_OBJECT)) return undefined;
    const names = new Set<string>();
    do {
      this.#skipWhitespace();
      const start = this.#at;
      if (this.#bytes[start] !== QUOTE) return this.#fault('syntax', 'expected a key');
      const keyFault = this.#string(false);
      if (keyFault !== undefined) return keyFault;
      const name = JSON.parse(utf8Text(this.#bytes.subarray(start, this.#at))) as string;
      if (names.has(name)) return { kind: 'duplicate_key', offset: start, detail: 'a key occurs twice in one object' };
      names.add(name);
      if (!this.#take(COLON)) return this.#fault('syntax', 'expected a colon');
      const fault = this.#value(depth);
      if (fault !== undefined) return fault;
    } while (this.#take(COMMA));
    return this.#take(CLOSE_OBJECT) ? undefined : this.#fault('syntax', 'expected a comma or the end of the object');
  }

  #array(depth: number): JsonFault | undefined {
    this.#at += 1;
    if (this.#take(CLOSE_ARRAY)) return undefined;
    do {
      const fault = this.#value(depth);
      if (fault !== undefined) return fault;
    } while (this.#take(COMMA));
    return this.#take(CLOSE_ARRAY) ? undefined : this.#fault('syntax', 'expected a comma or the end of the array');
  }

  #string(loneSurrogates: boolean): JsonFault | undefined {
    this.#at += 1;
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return this.#fault('syntax', 'a string does not end');
      if (byte < 0x20) return this.#fault('syntax', 'a control character in a string');
      if (byte === QUOTE) {
        this.#at += 1;
        return undefined;
      }
      if (byte !== BACKSLASH) {
        this.#at += 1;
        continue;
      }
      if (!this.#matches(ESCAPE)) return this.#fault('syntax', 'an unknown escape sequence');
      const length = escapeLength(this.#bytes, this.#at);
      if (length === 0 && !loneSurrogates) return this.#fault('lone_surrogate', 'half of a surrogate pair in a string');
      this.#at += length || 6;
    }
  }

  #skipWhitespace(): void {
    for (let byte = this.#bytes[this.#at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = this.#bytes[this.#at]) {
      this.#at += 1;
    }
  }

  #take(byte: number): boolean {
    this.#skipWhitespace();
    if (this.#bytes[this.#at] !== byte) return false;
    this.#at += 1;
    return true;
  }

  #matches(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    return pattern.test(this.#text);
  }

  #takePattern(pattern: RegExp): boolean {
    if (!this.#matches(pattern)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #tooDeep(): JsonFault {
    return this.#fault('too_deep', `nested deeper than ${this.#limits.maxDepth}`);
  }

  #fault(kind: JsonFaultKind, detail: string): JsonFault {
    return { kind, offset: this.#at, detail };
  }
}
