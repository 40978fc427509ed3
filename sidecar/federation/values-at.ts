import { elementPlaces, findMember, type MarkedText, type MemberPlace, ROOT } from '../../extauthz/api/json-members.ts';
import { type Span, utf8Text } from '../../extauthz/api/json-structure.ts';
import { parseJsonValue } from '../../extauthz/api/json-value.ts';

/** Member names from the outermost object inwards; `*` stands for every element of an array. */
export type Path = readonly string[];

/** A value in a message, and where it stands. */
export interface FoundValue {
  readonly value: unknown;
  readonly span: Span;
}

/** How many containers a path may lead through: texts that are searched need marks to this depth. */
export const SEARCH_DEPTH = 8;

/** The values that a path leads to. */
export function valuesAt(text: MarkedText, message: unknown, path: Path): readonly FoundValue[] {
  const found: FoundValue[] = [];
  collect(text, { value: { start: 0, end: text.bytes.length }, open: ROOT }, message, path, 0, found);
  return found;
}

function collect(text: MarkedText, place: MemberPlace, value: unknown, path: Path, depth: number, found: FoundValue[]): void {
  const step = path[depth];
  if (step === undefined) {
    found.push({ value, span: place.value });
  } else if (step === '*') {
    if (!Array.isArray(value)) return;
    for (const [index, element] of elementPlaces(text, place.open).entries()) collect(text, element, value[index], path, depth + 1, found);
  } else if (isObject(value) && Object.hasOwn(value, step)) {
    const member = findMember(text, place.open, step);
    if (member === undefined) throw new RangeError('the places of the members do not fit the members');
    collect(text, member, value[step], path, depth + 1, found);
  }
}

/** A message that the request path has read before. */
export function readMessage(bytes: Uint8Array): unknown {
  return parseJsonValue(utf8Text(bytes));
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
