/**
 * One message as some server acts on it, written apart from the product: which of two members counts, and whether the case of a protocol key
 * matters, is for each server's parser to say.
 */
export interface Reading {
  readonly reader: string;
  /** Undefined for a response. */
  readonly method: unknown;
  readonly params: unknown;
  readonly hasId: boolean;
}

type Pick = 'first' | 'last';

const LITERALS: readonly (readonly [string, unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\]|\\.)*"/sy;
const SPACE = /[ \t\r\n]*/y;

/** Parses with one of two members of the same name, the first or the last. */
function parse(text: string, pick: Pick): unknown {
  let at = 0;
  const skip = () => {
    SPACE.lastIndex = at;
    at += SPACE.exec(text)?.[0].length ?? 0;
  };
  const take = (expected: string) => {
    if (text[at] !== expected) throw new SyntaxError(`expected ${expected} at ${at}`);
    at += 1;
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const list = (open: string, close: string, element: () => void) => {
    take(open);
    skip();
    if (text[at] !== close) {
      for (;;) {
        element();
        skip();
        if (text[at] !== ',') break;
        at += 1;
      }
    }
    take(close);
  };
  const string = (): string => {
    const quoted = match(STRING);
    if (quoted === undefined) throw new SyntaxError(`expected a string at ${at}`);
    return JSON.parse(quoted) as string;
  };
  const value = (): unknown => {
    skip();
    if (text[at] === '{') {
      const object = new Map<string, unknown>();
      list('{', '}', () => {
        skip();
        const key = string();
        skip();
        take(':');
        const member = value();
        if (pick === 'last' || !object.has(key)) object.set(key, member);
      });
      return object;
    }
    if (text[at] === '[') {
      const items: unknown[] = [];
      list('[', ']', () => items.push(value()));
      return items;
    }
    if (text[at] === '"') return string();
    for (const [word, literal] of LITERALS) {
      if (!text.startsWith(word, at)) continue;
      at += word.length;
      return literal;
    }
    const number = match(NUMBER);
    if (number === undefined) throw new SyntaxError(`nothing to read at ${at}`);
    return Number(number);
  };
  const result = value();
  skip();
  if (at !== text.length) throw new SyntaxError('more than one text');
  return result;
}

/** As Go's `encoding/json` matches the fields of a struct: in any case, and with the letters that fold to ASCII. */
function fold(key: string): string {
  return key.replaceAll('\u017f', 's').replaceAll('\u212a', 'k').toLowerCase();
}

/** Objects that a server reads into structs, so that folding goes on inside: what lies below `arguments` does not. */
const STRUCTS: ReadonlySet<string> = new Set(['params', 'ref', 'notifications', '_meta']);

function plain(value: unknown, folds: boolean, pick: Pick): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item, false, pick));
  if (!(value instanceof Map)) return value;
  const object: Record<string, unknown> = Object.create(null);
  for (const [key, member] of value as ReadonlyMap<string, unknown>) {
    const name = folds ? fold(key) : key;
    if (pick === 'last' || !(name in object)) object[name] = plain(member, folds && STRUCTS.has(name), pick);
  }
  return object;
}

/** The value as most servers read it. Written apart from `JSON.parse`, which in Node 26 misreads some member names that have escapes in them. */
export function readLast(text: string): unknown {
  return plain(parse(text, 'last'), false, 'last');
}

/** What the bytes say, to each kind of reader. @throws {SyntaxError} when they are not JSON to some of them */
export function readingsOf(body: Buffer): readonly Reading[] {
  const text = body.toString('utf8');
  const [first, last] = [parse(text, 'first'), parse(text, 'last')];
  return [
    readingBy('a reader that takes the last of two members', plain(last, false, 'last')),
    readingBy('a reader that takes the first of two members', plain(first, false, 'first')),
    readingBy('a reader without regard to case, which takes the last member', plain(last, true, 'last')),
    readingBy('a reader without regard to case, which takes the first member', plain(first, true, 'first')),
  ];
}

/** What a message says to a reader. Readers that fold keys name them in lower case. */
function readingBy(reader: string, message: unknown): Reading {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) throw new TypeError('not one message');
  const { method, params, id } = message as Record<string, unknown>;
  return { reader, method, params, hasId: id !== undefined };
}
