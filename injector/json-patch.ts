import { isDeepStrictEqual } from 'node:util';

/** One operation of a JSON Patch (RFC 6902 section 4); the three kinds that a difference needs. */
export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** Comparing every item with every other grows with the square of their number, and pod authors choose that number. */
const MAX_COMPARISONS = 250_000;

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The operations that turn one JSON value into another, in the order to apply them.
 * Array items that are equal, or objects with the same `name`, are taken for the same item, as Kubernetes does.
 */
export function jsonPatch(before: unknown, after: unknown): PatchOperation[] {
  return difference(before, after, '');
}

function difference(before: unknown, after: unknown, path: string): PatchOperation[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) return arrayDifference(before, after, path);
  if (isObject(before) && isObject(after)) return objectDifference(before, after, path);
  return [{ op: 'replace', path, value: after }];
}

function objectDifference(before: JsonObject, after: JsonObject, path: string): PatchOperation[] {
  const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  return [
    ...removed.map((key): PatchOperation => ({ op: 'remove', path: `${path}/${pointerToken(key)}` })),
    ...Object.entries(after).flatMap(([key, value]): PatchOperation[] => {
      const member = `${path}/${pointerToken(key)}`;
      return Object.hasOwn(before, key) ? difference(before[key], value, member) : [{ op: 'add', path: member, value }];
    }),
  ];
}

/** Leaves equal items at both ends alone and walks what is between them. */
function arrayDifference(before: readonly unknown[], after: readonly unknown[], path: string): PatchOperation[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && isDeepStrictEqual(before[start], after[start])) start += 1;
  let end = 0;
  while (end < shorter - start && isDeepStrictEqual(before[before.length - 1 - end], after[after.length - 1 - end])) end += 1;
  const old = before.slice(start, before.length - end);
  const wanted = after.slice(start, after.length - end);
  if (old.length * wanted.length > MAX_COMPARISONS) return [{ op: 'replace', path, value: after }];
  return itemDifference(old, wanted, path, start);
}

/** Walks both arrays along their common items; `start + index` is the position in the array as patched so far. */
function itemDifference(before: readonly unknown[], after: readonly unknown[], path: string, start: number): PatchOperation[] {
  const operations: PatchOperation[] = [];
  const common = commonLengths(before, after);
  let from = 0;
  let index = 0;
  while (from < before.length || index < after.length) {
    const here = `${path}/${start + index}`;
    if (from < before.length && index < after.length && isSameItem(before[from], after[index])) {
      operations.push(...difference(before[from], after[index], here));
      from += 1;
      index += 1;
    } else if (from === before.length || (index < after.length && lengthAt(common, from, index + 1) >= lengthAt(common, from + 1, index))) {
      operations.push({ op: 'add', path: here, value: after[index] });
      index += 1;
    } else {
      operations.push({ op: 'remove', path: here });
      from += 1;
    }
  }
  return operations;
}

/** Lengths of the longest common subsequences of every pair of tails. */
function commonLengths(before: readonly unknown[], after: readonly unknown[]): readonly (readonly number[])[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0));
  for (let from = before.length - 1; from >= 0; from -= 1) {
    const row = lengths[from] as number[];
    for (let to = after.length - 1; to >= 0; to -= 1) {
      row[to] = isSameItem(before[from], after[to])
        ? 1 + lengthAt(lengths, from + 1, to + 1)
        : Math.max(lengthAt(lengths, from + 1, to), lengthAt(lengths, from, to + 1));
    }
  }
  return lengths;
}

function lengthAt(lengths: readonly (readonly number[])[], from: number, to: number): number {
  return lengths[from]?.[to] ?? 0;
}

function isSameItem(one: unknown, other: unknown): boolean {
  if (isObject(one) && isObject(other) && typeof one['name'] === 'string') return one['name'] === other['name'];
  return isDeepStrictEqual(one, other);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 6901 section 3. */
function pointerToken(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
