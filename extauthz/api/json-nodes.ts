import { NEAR_BYTES, skipPlain } from './json-structure.ts';

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;

/**
 * Counts the nodes of a JSON text (objects, arrays, and members of objects) without building any, and stops at the first one too many:
 * `[[],[],...` takes a hundred times its length in memory once it is parsed.
 * @param bytes need not be JSON; what comes out for other texts means nothing
 * @returns the offset of the node beyond `most`, or undefined when there is none
 */
export function nodeBeyond(bytes: Uint8Array, most: number): number | undefined {
  // Each node takes a byte, so that short texts need not be looked at.
  if (bytes.length <= most) return undefined;
  let left = most;
  for (let at = 0; at < bytes.length; at += 1) {
    switch (bytes[at]) {
      case QUOTE:
        at = endOfString(bytes, at + 1);
        break;
      case COLON:
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        left -= 1;
        if (left < 0) return at;
        break;
    }
  }
  return undefined;
}

/** From the first byte of a string: the place of its closing quote, or the end of the text. */
function endOfString(bytes: Uint8Array, from: number): number {
  let near = from + NEAR_BYTES;
  for (let at = from; at < bytes.length; ) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) {
      at += 2;
      near = at + NEAR_BYTES;
    } else at = at < near ? at + 1 : skipPlain(bytes, at);
  }
  return bytes.length;
}
