import { isUnsafeNumber } from './json-number.ts';

/** A range of bytes: `start` is its first byte, `end` the one after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What one pass over a JSON text sees, beside the values. */
export interface JsonStructure {
  /** Offsets of the brackets, braces, colons and commas of all containers down to the depth asked for, in order. */
  readonly marks: readonly number[];
  /** How many members all objects have together, counting each occurrence of a key. */
  readonly memberCount: number;
  /** Some number is read differently by parsers: see `isUnsafeNumber`. */
  readonly unsafeNumbers: boolean;
  /** Some string escapes half of a surrogate pair (`\ud800`), which parsers read as different characters. */
  readonly loneSurrogate: boolean;
  /** The deepest nesting; a text without containers has 0. */
  readonly depth: number;
}

const OTHER = 0;
const QUOTE = 1;
const OPEN = 2;
const CLOSE = 3;
const COLON = 4;
const COMMA = 5;
const NUMBER = 6;

function table(classes: readonly (readonly [characters: string, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(256);
  for (const [characters, value] of classes) for (const character of characters) bytes[character.charCodeAt(0)] = value;
  return bytes;
}

const CLASS = table([
  ['"', QUOTE],
  ['{[', OPEN],
  ['}]', CLOSE],
  [':', COLON],
  [',', COMMA],
  ['-0123456789', NUMBER],
]);

/** 1: part of a number; 2: starts its exponent. */
const IN_NUMBER = table([
  ['+-.0123456789', 1],
  ['eE', 2],
]);

/** Doubles keep any 15 significant digits (IEEE 754 `DBL_DIG`), so a shorter literal without an exponent is exact. */
const EXACT_LENGTH = 15;

const QUOTE_BYTE = 0x22;
const BACKSLASH = 0x5c;

/** After so many bytes of a string it is quicker to look for its end natively, in windows so that no byte is looked at too often. */
export const NEAR_BYTES = 256;
const WINDOW_BYTES = 4_096;

/**
 * Scans a JSON text for what `JSON.parse` does not tell.
 * `bytes` must be UTF-8 that `JSON.parse` accepts; the grammar is not checked again.
 * @throws {RangeError} when that is not so and a string does not end.
 */
export function scanStructure(bytes: Uint8Array, markDepth: number): JsonStructure {
  const marks: number[] = [];
  let depth = 0;
  let deepest = 0;
  let memberCount = 0;
  let unsafeNumbers = false;
  let loneSurrogate = false;
  let at = 0;
  while (at < bytes.length) {
    switch (CLASS[bytes[at] as number]) {
      case QUOTE:
        at += 1;
        for (;;) {
          const near = at + NEAR_BYTES;
          let byte = bytes[at];
          while (byte !== QUOTE_BYTE && byte !== BACKSLASH && at < near) {
            at += 1;
            byte = bytes[at];
          }
          if (byte === QUOTE_BYTE) break;
          if (byte === BACKSLASH) {
            const length = escapeLength(bytes, at);
            if (length === 0) loneSurrogate = true;
            at += length || 2;
          } else at = skipPlain(bytes, at);
        }
        break;
      case OPEN:
        depth += 1;
        if (depth > deepest) deepest = depth;
        if (depth <= markDepth) marks.push(at);
        break;
      case CLOSE:
        if (depth <= markDepth) marks.push(at);
        depth -= 1;
        break;
      case COLON:
        memberCount += 1;
        if (depth <= markDepth) marks.push(at);
        break;
      case COMMA:
        if (depth <= markDepth) marks.push(at);
        break;
      case NUMBER: {
        const start = at;
        let hasExponent = false;
        for (let kind = IN_NUMBER[bytes[at] as number]; kind !== OTHER && at < bytes.length; kind = IN_NUMBER[bytes[at] as number]) {
          if (kind === 2) hasExponent = true;
          at += 1;
        }
        if ((hasExponent || at - start > EXACT_LENGTH) && !unsafeNumbers)
          unsafeNumbers = isUnsafeNumber(utf8Text(bytes.subarray(start, at)));
        continue;
      }
    }
    at += 1;
  }
  return { marks, memberCount, unsafeNumbers, loneSurrogate, depth: deepest };
}

/** Length of the escape sequence at a backslash; a surrogate pair counts as one. Zero for half of a pair. */
export function escapeLength(bytes: Uint8Array, at: number): number {
  if (bytes[at + 1] !== 0x75) return 2;
  const half = surrogateHalf(bytes, at);
  if (half === undefined) return 6;
  return half === 'high' && surrogateHalf(bytes, at + 6) === 'low' ? 12 : 0;
}

function surrogateHalf(bytes: Uint8Array, at: number): 'high' | 'low' | undefined {
  if (bytes[at] !== 0x5c || bytes[at + 1] !== 0x75 || ((bytes[at + 2] ?? 0) | 0x20) !== 0x64) return undefined;
  const second = Number.parseInt(String.fromCharCode(bytes[at + 3] ?? 0), 16);
  if (!(second >= 8)) return undefined;
  return second >= 12 ? 'low' : 'high';
}

/**
 * From inside a string: the place of the next quote or backslash, or at least the end of the window.
 * @throws {RangeError} at the end of the text.
 */
export function skipPlain(bytes: Uint8Array, at: number): number {
  const window = asBuffer(bytes.subarray(at, at + WINDOW_BYTES));
  if (window.length === 0) throw new RangeError('not JSON: a string does not end');
  const quote = window.indexOf(QUOTE_BYTE);
  const escapeAt = (quote === -1 ? window : window.subarray(0, quote)).indexOf(BACKSLASH);
  if (escapeAt !== -1) return at + escapeAt;
  return at + (quote === -1 ? window.length : quote);
}

/** The same memory, with the native methods of `Buffer`. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The text of UTF-8 bytes, a byte order mark included. */
export function utf8Text(bytes: Uint8Array): string {
  return asBuffer(bytes).toString();
}
