/**
 * Readers of JSON-RPC as servers have them, written apart from the product: which of two members counts, and whether the case of a
 * protocol key matters, is for each server's parser to say.
 */
export interface Reader {
  readonly name: string;
  /** @throws {SyntaxError} when it is not JSON to this reader */
  readonly read: (body: Buffer) => unknown;
}

/** One message as a server acts on it. */
export interface Reading {
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

const decoded = (body: Buffer) => body.toString('utf8').replace(/^\ufeff/, '');

export const READERS: readonly Reader[] = [
  { name: 'the official SDK', read: (body) => JSON.parse(body.toString('utf8')) as unknown },
  { name: 'a reader that takes the first of two members', read: (body) => plain(parse(decoded(body), 'first'), false, 'first') },
  { name: 'a reader that takes the last of two members, after a byte order mark', read: (body) => plain(parse(decoded(body), 'last'), false, 'last') },
  { name: 'a reader without regard to case, the last member', read: (body) => plain(parse(decoded(body), 'last'), true, 'last') },
  { name: 'a reader without regard to case, the first member', read: (body) => plain(parse(decoded(body), 'first'), true, 'first') },
];

/** What a message says to a reader. Readers that fold keys name them in lower case. */
export function readingOf(message: unknown): Reading {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) throw new TypeError('not one message');
  const { method, params, id } = message as Record<string, unknown>;
  return { method, params, hasId: id !== undefined };
}
