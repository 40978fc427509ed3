import { elementPlaces, findMember, type MarkedText, ROOT } from '../../extauthz/api/json-members.ts';
import { LIST_METHODS, type ListMethod } from '../../extauthz/api/operation.ts';
import { parseStrictDocument } from '../../extauthz/api/strict-json.ts';
import { type Endpoint, showsTool } from '../endpoints.ts';
import type { Era } from '../mcp/protocol-version.ts';
import { SERVER_INFO } from './capabilities.ts';
import { fromServer } from './from-server.ts';
import { MAX_SERVER_CURSOR_LENGTH, type PendingServer } from './list-cursor.ts';
import { isObject } from './values-at.ts';

/** What one server answered to a list request. */
export interface ServerPage {
  readonly server: string;
  /** The cursor that it was asked with. */
  readonly askedFrom: string | undefined;
  /** Each item under its federated name, otherwise as the server wrote it. */
  readonly items: readonly Uint8Array[];
  readonly nextCursor: string | undefined;
  /** Milliseconds; 0 when the server does not say. */
  readonly ttlMs: number;
}

/** Down to the items: message, result, list. */
const ITEM_DEPTH = 3;

/** Reads the answer of one server, which the request path has filtered. Undefined when it has no list. */
export function readPage(
  pending: PendingServer,
  { method, era, endpoint }: { readonly method: string; readonly era: Era; readonly endpoint: Endpoint },
  bytes: Uint8Array,
): ServerPage | undefined {
  const { server } = pending;
  const { itemsKey } = LIST_METHODS.get(method) as ListMethod;
  const from = fromServer(server, era, bytes);
  const result = from?.message['result'];
  if (from === undefined || !isObject(result) || !Array.isArray(result[itemsKey])) return undefined;
  const own = result[itemsKey] as readonly unknown[];
  const document = parseStrictDocument(from.bytes, ITEM_DEPTH, { loneSurrogates: true });
  if (!document.ok) return undefined;
  const text: MarkedText = { bytes: from.bytes, marks: document.value.structure.marks };
  const list = findMember(text, findMember(text, ROOT, 'result')?.open ?? ROOT, itemsKey);
  if (list === undefined) return undefined;
  const items = elementPlaces(text, list.open)
    .filter((_place, index) => method !== 'tools/list' || isShown(endpoint, server, own[index]))
    .map(({ value }) => from.bytes.subarray(value.start, value.end));
  const { nextCursor, ttlMs } = result;
  return {
    server,
    askedFrom: pending.cursor,
    items,
    nextCursor: typeof nextCursor === 'string' ? nextCursor : undefined,
    ttlMs: typeof ttlMs === 'number' && ttlMs >= 0 ? ttlMs : 0,
  };
}

function isShown(endpoint: Endpoint, server: string, tool: unknown): boolean {
  return isObject(tool) && typeof tool['name'] === 'string' && showsTool(endpoint, server, tool['name']);
}

export interface MergeOptions {
  readonly method: string;
  readonly era: Era;
  /** The id of the request as it was sent. */
  readonly idJson: string;
  /** Servers that were not asked yet; they come after all of the others. */
  readonly unasked: readonly PendingServer[];
  /** How many servers did not answer. */
  readonly unavailable: number;
  /** Servers that do not fit in are left for the next page. */
  readonly maxBytes: number;
  readonly cursorOf: (pending: readonly PendingServer[]) => string | undefined;
}

/** One list of the pages of several servers, in their order. */
export function mergePages(pages: readonly ServerPage[], options: MergeOptions): Buffer {
  const { method, era, idJson, maxBytes, cursorOf } = options;
  const { itemsKey } = LIST_METHODS.get(method) as ListMethod;
  const items: Uint8Array[] = [];
  const pending: PendingServer[] = [];
  let { unavailable } = options;
  let length = 0;
  let isFull = false;
  for (const { server, askedFrom, items: own, nextCursor } of pages) {
    const ownLength = own.reduce((sum, item) => sum + item.length, 0);
    isFull ||= length > 0 && length + ownLength > maxBytes;
    if (isFull) {
      pending.push({ server, cursor: askedFrom });
      continue;
    }
    items.push(...own);
    length += ownLength;
    if (nextCursor === undefined) continue;
    // What does not fit into a cursor cannot be asked for.
    if (nextCursor.length > MAX_SERVER_CURSOR_LENGTH) unavailable += 1;
    else pending.push({ server, cursor: nextCursor });
  }
  const nextCursor = cursorOf([...pending, ...options.unasked]);
  const rest = {
    ...(nextCursor !== undefined && { nextCursor }),
    ...(era === 'modern' && {
      resultType: 'complete',
      ttlMs: Math.min(...pages.map(({ ttlMs }) => ttlMs), MAX_TTL_MS),
      cacheScope: 'private',
    }),
    ...metaOf(era, unavailable),
  };
  const head = `{"jsonrpc":"2.0","id":${idJson},"result":{"${itemsKey}":[`;
  const pieces = items.flatMap((item, index) => (index === 0 ? [item] : [COMMA, item]));
  const tail = Object.keys(rest).length === 0 ? ']}}' : `],${JSON.stringify(rest).slice(1)}}`;
  return Buffer.concat([Buffer.from(head), ...pieces, Buffer.from(tail)]);
}

const COMMA = Buffer.from(',');
/** An empty list says as little for long as one that nobody may keep. */
const MAX_TTL_MS = 30_000;

/** `_meta` of a result of the endpoint's own. Servers that are missing are counted and not named: who may not see a server must not hear of it. */
export function metaOf(era: Era, unavailable: number): { readonly _meta?: Record<string, unknown> } {
  const _meta = {
    ...(era === 'modern' && { 'io.modelcontextprotocol/serverInfo': SERVER_INFO }),
    ...(unavailable > 0 && { 'sidegate/unavailable': unavailable }),
  };
  return Object.keys(_meta).length === 0 ? {} : { _meta };
}
