import { elementRegions, findMember, type MarkedText, ROOT } from '../../extauthz/api/json-members.ts';
import type { Span } from '../../extauthz/api/json-structure.ts';
import { LIST_METHODS, type ListMethod, TASK_LIST } from '../../extauthz/api/operation.ts';
import { ENVELOPE_KEYS, foldCase, ProtocolKeys } from '../../extauthz/api/protocol-keys.ts';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { parseStrictDocument } from '../../extauthz/api/strict-json.ts';
import type { Era } from './protocol-version.ts';
import { SERVER_LIMITS } from './server-limits.ts';
import { type Edit, splice } from './splice.ts';

/**
 * Why an answer cannot be filtered, and so must not be passed on.
 *
 * - `unreadable`: not JSON, or JSON that parsers read differently
 * - `batch`: an array of messages
 * - `not_a_message`: neither a call nor a response, or both
 * - `case_variant_key`: a key that some clients take for the one that holds the items
 * - `not_a_list`: the answer to a list method has no list in its result, or something else is where a list would be
 */
export interface ListFault {
  readonly kind: 'unreadable' | 'batch' | 'not_a_message' | 'case_variant_key' | 'not_a_list';
  /** A phrase for the log. Holds nothing from the answer. */
  readonly detail: string;
}

/** One of the lists in an answer. */
export interface FoundList {
  /** The method that asks for such a list, for example `tools/list`. */
  readonly method: string;
  /** What its items are called, each name once, in order of first appearance. */
  readonly names: readonly string[];
}

/** A message read for filtering: what to ask about, and where the items are. */
export interface ListRead {
  /** Empty when there is nothing to filter: a notification, an error, a result of another kind. */
  readonly lists: readonly FoundList[];
  readonly text: MarkedText;
  /** The whole message. */
  readonly envelope: Readonly<Record<string, unknown>>;
  readonly result: Readonly<Record<string, unknown>>;
}

export interface FilterOptions {
  readonly era: Era;
  /** How long a client may keep the answer, in milliseconds: the time in which policy may change. */
  readonly maxTtlMs: number;
}

/** Where the items of a list sit in its result, and what names an item. */
type ListPlace = Pick<ListMethod, 'nameKey' | 'itemsKey'> | { readonly itemsKey: 'tasks'; readonly nameKey: 'taskId' };

/** The methods whose answers are filtered, with the lists that they answer. Policy decides about the items of `LIST_METHODS`; tasks have owners. */
export const FILTERED_LISTS: ReadonlyMap<string, ListPlace> = new Map<string, ListPlace>([
  ...LIST_METHODS,
  [TASK_LIST, { itemsKey: 'tasks', nameKey: 'taskId' }],
]);

/** The envelope, the result and the list are looked up by place. */
const MARK_DEPTH = 3;
const RESULT_KEYS = new ProtocolKeys([
  ...[...FILTERED_LISTS.values()].map(({ itemsKey }) => itemsKey),
  'nextCursor',
  'ttlMs',
  'cacheScope',
]);

/** The methods whose lists a message carries by its shape alone, for streams where the request is not known. */
export function listMethodsIn(message: unknown): readonly string[] {
  const result = isObject(message) ? message['result'] : undefined;
  if (!isObject(result)) return [];
  return [...FILTERED_LISTS].filter(([, { itemsKey }]) => Array.isArray(result[itemsKey])).map(([method]) => method);
}

/**
 * Reads one message from a server, to filter the lists in its result. First of two steps, since who may see what is asked in between.
 * @param expected the list method that was asked, or undefined when any message may come.
 */
export function readList(bytes: Uint8Array, expected: string | undefined): Result<ListRead, ListFault> {
  const document = parseStrictDocument(bytes, MARK_DEPTH, SERVER_LIMITS);
  if (!document.ok) return refuse('unreadable', `${document.failure.detail} (byte ${document.failure.offset})`);
  const { value, structure } = document.value;
  if (Array.isArray(value)) return refuse('batch', 'an array of messages');
  if (!isObject(value)) return refuse('not_a_message', 'not an object');
  if (ENVELOPE_KEYS.variantIn(value) !== undefined) return refuse('case_variant_key', 'in the message');
  // Servers that store events store the empty one that opens a stream as `{}`, and replay it like any other. It says nothing.
  if (expected === undefined && Object.keys(value).length === 0)
    return ok({ lists: [], text: { bytes, marks: structure.marks }, envelope: value, result: {} });
  const kinds = ['method', 'result', 'error'].filter((key) => key in value);
  if (kinds.length !== 1) return refuse('not_a_message', 'not exactly one of method, result and error');
  const text = { bytes, marks: structure.marks };
  if (kinds[0] !== 'result') return ok({ lists: [], text, envelope: value, result: {} });

  const { result } = value;
  const methods = listMethodsIn(value);
  if (expected !== undefined && !methods.includes(expected)) return refuse('not_a_list', 'no list in the result');
  if (!isObject(result)) return ok({ lists: [], text, envelope: value, result: {} });
  if (RESULT_KEYS.variantIn(result) !== undefined) return refuse('case_variant_key', 'in the result');
  for (const { itemsKey } of FILTERED_LISTS.values()) {
    // Some servers write nothing for an empty list.
    const items = result[itemsKey] ?? [];
    if (!Array.isArray(items)) return refuse('not_a_list', 'something else in place of a list');
  }
  const lists = methods.map((method) => ({ method, names: namesOf(result, FILTERED_LISTS.get(method) as ListPlace) }));
  return ok({ lists, text, envelope: value, result });
}

/**
 * The message with only the items that may be seen; their bytes, their order and everything around them stay as they were.
 * Clients are told not to share the answer and to ask again in time. Items without a usable name are never shown.
 * @param visible for each of `read.lists` one boolean a name.
 * @throws {RangeError} when `visible` does not fit `read.lists`.
 */
export function filterList(read: ListRead, visible: readonly (readonly boolean[])[], options: FilterOptions): Uint8Array {
  const { lists, text, result } = read;
  if (lists.length === 0) return text.bytes;
  if (visible.length !== lists.length) throw new RangeError('one answer for each list is needed');
  const edits: Edit[] = [];
  lists.forEach(({ method, names }, index) => {
    const answers = visible[index] ?? [];
    if (answers.length !== names.length) throw new RangeError('one answer for each name is needed');
    const shown = new Set(names.filter((_name, at) => answers[at] === true));
    edits.push(...removals(text, result, FILTERED_LISTS.get(method) as ListPlace, shown));
  });
  edits.push(...cacheEdits(text, result, { ...options, isShortened: edits.length > 0 }));
  return splice(
    text.bytes,
    edits.sort((a, b) => a.span.start - b.span.start),
  );
}

function namesOf(result: ListRead['result'], { itemsKey, nameKey }: ListPlace): string[] {
  const names = new Set<string>();
  for (const item of result[itemsKey] as readonly unknown[]) {
    const name = nameOf(item, nameKey);
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

/** What policy is asked about an item; undefined when clients could take the item for another one. */
function nameOf(item: unknown, nameKey: string): string | undefined {
  if (!isObject(item)) return undefined;
  const name = item[nameKey];
  if (typeof name !== 'string' || !name.isWellFormed()) return undefined;
  for (const key in item) if (key.length === nameKey.length && key !== nameKey && foldCase(key) === foldCase(nameKey)) return undefined;
  return name;
}

/** Takes out each item that is not shown, together with one of the commas beside it. */
function removals(text: MarkedText, result: ListRead['result'], { itemsKey, nameKey }: ListPlace, shown: ReadonlySet<string>): Edit[] {
  const items = result[itemsKey] as readonly unknown[];
  const regions = elementRegions(text, placeInResult(text, itemsKey).open);
  if (regions.length !== items.length) throw new RangeError('the places of the items do not fit the items');
  const edits: Edit[] = [];
  let hasShown = false;
  regions.forEach(({ start, end }, index) => {
    const name = nameOf(items[index], nameKey);
    if (name !== undefined && shown.has(name)) hasShown = true;
    else if (hasShown) edits.push({ span: { start: start - 1, end }, text: '' });
    else edits.push({ span: { start, end: index + 1 < regions.length ? end + 1 : end }, text: '' });
  });
  return edits;
}

/**
 * `cacheScope` and `ttlMs` (MCP 2026-07-28, Caching): corrected where they are, added to a modern answer that was shortened.
 * A shortened list that is cached as public would be shown to others, and one that is cached too long outlives its policy.
 */
function cacheEdits(text: MarkedText, result: ListRead['result'], options: FilterOptions & { readonly isShortened: boolean }): Edit[] {
  const { cacheScope, ttlMs } = result;
  const { era, maxTtlMs, isShortened } = options;
  const edits: Edit[] = [];
  const add: string[] = [];
  if ('cacheScope' in result) {
    if (cacheScope !== 'private') edits.push({ span: placeInResult(text, 'cacheScope').value, text: '"private"' });
  } else if (era === 'modern' && isShortened) add.push('"cacheScope":"private",');
  if ('ttlMs' in result) {
    const isUsable = typeof ttlMs === 'number' && ttlMs >= 0;
    if (!isUsable || ttlMs > maxTtlMs) edits.push({ span: placeInResult(text, 'ttlMs').value, text: String(isUsable ? maxTtlMs : 0) });
  } else if (era === 'modern' && isShortened) add.push(`"ttlMs":${maxTtlMs},`);
  if (add.length > 0) {
    const inside = resultPlace(text).value.start + 1;
    edits.push({ span: { start: inside, end: inside }, text: add.join('') });
  }
  return edits;
}

function placeInResult(text: MarkedText, key: string): { readonly value: Span; readonly open: number } {
  const place = findMember(text, resultPlace(text).open, key);
  if (place === undefined) throw new RangeError(`${key} has no place in the text`);
  return place;
}

function resultPlace(text: MarkedText): { readonly value: Span; readonly open: number } {
  const place = findMember(text, ROOT, 'result');
  if (place === undefined) throw new RangeError('the result has no place in the text');
  return place;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(kind: ListFault['kind'], detail: string): Result<never, ListFault> {
  return fail({ kind, detail });
}
