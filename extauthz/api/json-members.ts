import { type JsonStructure, type Span, utf8Text } from './json-structure.ts';

/** A JSON text with the marks of its containers, as `parseStrictDocument` returns them. */
export interface MarkedText {
  readonly bytes: Uint8Array;
  readonly marks: JsonStructure['marks'];
}

export interface MemberPlace {
  readonly value: Span;
  /** Index in `marks` of the value's opening bracket; means nothing unless the value is a container within the marked depth. */
  readonly open: number;
}

/** Index in `marks` of the outermost container's opening bracket. */
export const ROOT = 0;

const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** Finds a member of the object that opens at mark `open`. The text must have passed `parseStrictDocument`, so there is at most one. */
export function findMember(text: MarkedText, open: number, name: string): MemberPlace | undefined {
  const { bytes, marks } = text;
  let keyFrom = (marks[open] as number) + 1;
  for (let at = open + 1; ; at += 1) {
    const mark = marks[at] as number;
    const byte = bytes[mark];
    if (byte === COLON) {
      const end = endOfContainerOrMember(text, at + 1);
      if (isKey(bytes, keyFrom, mark, name)) return { value: trimmed(bytes, mark + 1, marks[end] as number), open: at + 1 };
      at = end;
      if (bytes[marks[at] as number] !== COMMA) return undefined;
      keyFrom = (marks[at] as number) + 1;
    } else {
      return undefined;
    }
  }
}

/** A member with its name and its place. */
export interface NamedMember extends MemberPlace {
  readonly name: string;
  /** What lies between braces and commas: name, colon and value with the whitespace around them. */
  readonly region: Span;
}

/** The members of the object that opens at mark `open`, in order. */
export function members(text: MarkedText, open: number): NamedMember[] {
  const { bytes, marks } = text;
  const found: NamedMember[] = [];
  let start = (marks[open] as number) + 1;
  for (let at = open + 1; ; ) {
    const colon = marks[at] as number;
    if (bytes[colon] !== COLON) return found;
    const endAt = endOfContainerOrMember(text, at + 1);
    const end = marks[endAt] as number;
    const name = JSON.parse(utf8Text(bytes.subarray(start, colon))) as string;
    found.push({ name, region: { start, end }, value: trimmed(bytes, colon + 1, end), open: at + 1 });
    if (bytes[end] !== COMMA) return found;
    start = end + 1;
    at = endAt + 1;
  }
}

/** The elements of the array that opens at mark `open`, each with the whitespace around it: what lies between brackets and commas. */
export function elementRegions(text: MarkedText, open: number): Span[] {
  const { bytes, marks } = text;
  const regions: Span[] = [];
  for (let at = open; ; ) {
    const start = (marks[at] as number) + 1;
    at = endOfContainerOrMember(text, at + 1);
    const end = marks[at] as number;
    const isLast = bytes[end] !== COMMA;
    if (!isLast || regions.length > 0 || !isBlank(bytes, start, end)) regions.push({ start, end });
    if (isLast) return regions;
  }
}

/** The elements of the array that opens at mark `open`, each like a member's value. */
export function elementPlaces(text: MarkedText, open: number): MemberPlace[] {
  const places: MemberPlace[] = [];
  for (let at = open; ; ) {
    const start = (text.marks[at] as number) + 1;
    const inside = at + 1;
    at = endOfContainerOrMember(text, inside);
    const end = text.marks[at] as number;
    const isLast = text.bytes[end] !== COMMA;
    if (!isLast || places.length > 0 || !isBlank(text.bytes, start, end))
      places.push({ value: trimmed(text.bytes, start, end), open: inside });
    if (isLast) return places;
  }
}

/** What to cut out of the object that opens at mark `open` to be rid of a member: the member with one of the commas beside it. */
export function memberRegion(text: MarkedText, open: number, name: string): Span | undefined {
  const { bytes, marks } = text;
  for (let before = open; ; ) {
    const colon = before + 1;
    if (bytes[marks[colon] as number] !== COLON) return undefined;
    const after = endOfContainerOrMember(text, colon + 1);
    const isLast = bytes[marks[after] as number] !== COMMA;
    const from = marks[before] as number;
    const to = marks[after] as number;
    if (isKey(bytes, from + 1, marks[colon] as number, name))
      return before === open ? { start: from + 1, end: isLast ? to : to + 1 } : { start: from, end: to };
    if (isLast) return undefined;
    before = after;
  }
}

/** From a mark inside a member or element: index of the comma or closing bracket that ends it. */
function endOfContainerOrMember({ bytes, marks }: MarkedText, from: number): number {
  let depth = 0;
  for (let at = from; ; at += 1) {
    switch (bytes[marks[at] as number]) {
      case 0x7b:
      case 0x5b:
        depth += 1;
        break;
      case 0x7d:
      case 0x5d:
        if (depth === 0) return at;
        depth -= 1;
        break;
      case COMMA:
        if (depth === 0) return at;
        break;
      case undefined:
        throw new RangeError('marks do not fit the text');
    }
  }
}

/** Whether the key that ends before `colon` unescapes to `name`, which is ASCII. */
function isKey(bytes: Uint8Array, from: number, colon: number, name: string): boolean {
  const { start, end } = trimmed(bytes, from, colon);
  if (end - start - 2 < name.length) return false;
  for (let at = start + 1; at < end - 1; at += 1) {
    const byte = bytes[at];
    if (byte === BACKSLASH) return JSON.parse(utf8Text(bytes.subarray(start, end))) === name;
    if (byte !== name.charCodeAt(at - start - 1)) return false;
  }
  return end - start - 2 === name.length;
}

function trimmed(bytes: Uint8Array, from: number, to: number): Span {
  let start = from;
  let end = to;
  while (isWhitespace(bytes[start])) start += 1;
  while (isWhitespace(bytes[end - 1])) end -= 1;
  return { start, end };
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (!isWhitespace(bytes[at])) return false;
  return true;
}

function isWhitespace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
