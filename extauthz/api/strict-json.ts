import { isUtf8 } from 'node:buffer';
import type { JsonFault, StrictJsonLimits } from './json-fault.ts';
import { nodeBeyond } from './json-nodes.ts';
import { type JsonStructure, scanStructure, utf8Text } from './json-structure.ts';
import { parseJsonValue } from './json-value.ts';
import { locateJsonFault } from './locate-json-fault.ts';
import { fail, ok, type Result } from './result.ts';

export interface StrictJson {
  readonly value: unknown;
  /** Some number is beyond plus or minus 2^53 - 1, or does not survive as a double. `value` holds it rounded. */
  readonly unsafeNumbers: boolean;
}

/** What .NET's `System.Text.Json` takes by default, the lowest of the common parsers. */
export const DEFAULT_MAX_DEPTH = 64;
/** Read in some 30 ms, and held in some 30 MB. */
export const DEFAULT_MAX_NODES = 100_000;

const PLAIN = {};

/**
 * Parses a JSON text that every conforming parser reads alike, except for numbers, about which `unsafeNumbers` tells.
 * A `__proto__` member is plain data in `value`, never a prototype.
 */
export function parseStrictJson(bytes: Uint8Array, limits: StrictJsonLimits = {}): Result<StrictJson, JsonFault> {
  return parseStrictDocument(bytes, 0, limits);
}

/** Like `parseStrictJson`, and keeps where the containers down to `markDepth` lie in the text. */
export function parseStrictDocument(
  bytes: Uint8Array,
  markDepth: number,
  limits: StrictJsonLimits = {},
): Result<StrictJson & { readonly structure: JsonStructure }, JsonFault> {
  const { maxDepth = DEFAULT_MAX_DEPTH, maxNodes = DEFAULT_MAX_NODES, loneSurrogates = false } = limits;
  const refuse = () => fail(locateJsonFault(bytes, { maxDepth, loneSurrogates }));
  if (!isUtf8(bytes)) return refuse();
  // Before anything is built.
  const offset = nodeBeyond(bytes, maxNodes);
  if (offset !== undefined) return fail({ kind: 'too_many_nodes', offset, detail: `more than ${maxNodes} objects, arrays and members` });
  let value: unknown;
  try {
    value = parseJsonValue(utf8Text(bytes));
  } catch {
    return refuse();
  }
  const structure = scanStructure(bytes, markDepth);
  if (structure.depth > maxDepth) return refuse();
  if (countMembers(PLAIN) !== 0) throw new Error('Object.prototype has enumerable members, so keys cannot be counted');
  // `JSON.parse` keeps one member of those that share a name, so a doubled name shows as a missing member.
  if (isContainer(value) && countMembers(value) !== structure.memberCount) return refuse();
  if (structure.loneSurrogate && !(loneSurrogates && !(isContainer(value) && hasIllFormedKey(value)))) return refuse();
  return ok({ value, unsafeNumbers: structure.unsafeNumbers, structure });
}

/** Recursion is bounded: the depth was checked before. `for in` takes a quarter of the time of `Object.keys`, but also counts what is inherited. */
function countMembers(value: object): number {
  let count = 0;
  if (Array.isArray(value)) {
    for (const element of value) if (isContainer(element)) count += countMembers(element);
    return count;
  }
  for (const name in value) {
    count += 1;
    const member = (value as Record<string, unknown>)[name];
    if (isContainer(member)) count += countMembers(member);
  }
  return count;
}

/** Half of a surrogate pair in a key makes two keys one for parsers that replace it. */
function hasIllFormedKey(value: object): boolean {
  const keys = Array.isArray(value) ? [] : Object.keys(value);
  return keys.some((key) => !key.isWellFormed()) || Object.values(value).some((member) => isContainer(member) && hasIllFormedKey(member));
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
