import { findMember, type MarkedText, memberRegion, ROOT } from '../../extauthz/api/json-members.ts';
import type { JsonRpcMessage } from '../../extauthz/api/json-rpc.ts';
import { parseStrictDocument } from '../../extauthz/api/strict-json.ts';
import { type Edit, splice } from '../mcp/splice.ts';
import { type SplitName, splitId, splitName, splitUri } from './names.ts';
import { isObject, type Path, SEARCH_DEPTH, valuesAt } from './values-at.ts';

/** Which server a message of the agent's is for, and what the server itself calls that which it names. */
export interface Addressee extends SplitName {
  /** Where the name stands. */
  readonly path: Path;
}

type Call = Extract<JsonRpcMessage, { method: string }>;

const ADDRESSES: ReadonlyMap<string, readonly [path: Path, split: (text: string) => SplitName | undefined]> = new Map([
  ['tools/call', [['params', 'name'], splitName]],
  ['prompts/get', [['params', 'name'], splitName]],
  ['resources/read', [['params', 'uri'], splitUri]],
  ['resources/subscribe', [['params', 'uri'], splitUri]],
  ['resources/unsubscribe', [['params', 'uri'], splitUri]],
  ['tasks/get', [['params', 'taskId'], splitName]],
  ['tasks/result', [['params', 'taskId'], splitName]],
  ['tasks/update', [['params', 'taskId'], splitName]],
  ['tasks/cancel', [['params', 'taskId'], splitName]],
]);

const RELATED_TASK = ['_meta', 'io.modelcontextprotocol/related-task', 'taskId'];

/** Whether messages of this method go to the one server that they name. */
export function isAddressed(method: string): boolean {
  return ADDRESSES.has(method) || method === 'completion/complete';
}

/** The server that a message names; undefined when it names none. Whether there is such a server is not looked at. */
export function addresseeOf({ method, params }: Call): Addressee | undefined {
  const [path, split] = addressOf(method, params) ?? [];
  if (path === undefined || split === undefined) return undefined;
  const text = path.slice(1).reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), params);
  const found = typeof text === 'string' ? split(text) : undefined;
  return found && { ...found, path };
}

function addressOf(method: string, params: Call['params']) {
  if (method !== 'completion/complete') return ADDRESSES.get(method);
  const ref = params?.['ref'];
  const isPrompt = isObject(ref) && ref['type'] === 'ref/prompt';
  return isPrompt ? ([['params', 'ref', 'name'], splitName] as const) : ([['params', 'ref', 'uri'], splitUri] as const);
}

/** The message as its server reads it: under the server's own name for what it is about, and every other byte as it was. */
export function forServer(bytes: Uint8Array, { server, own, path }: Addressee): Uint8Array {
  const { text, message } = read(bytes);
  const edits: Edit[] = valuesAt(text, message, path).map(({ span }) => ({ span, text: JSON.stringify(own) }));
  if (edits.length !== 1) throw new RangeError('a message names its server once');
  return spliced(bytes, [...edits, ...taskEdits(text, message, 'params', server)]);
}

/** A message of the agent's about a request that one server made. */
export interface AboutRequest {
  readonly server: string;
  readonly bytes: Uint8Array;
}

/** The agent's answer to a server's request, under the id that the server gave it. Undefined when it answers nobody's. */
export function responseForServer(bytes: Uint8Array): AboutRequest | undefined {
  return aboutRequest(bytes, ['id'], 'result');
}

/** The agent's progress with a server's request, under the token that the server gave it. Undefined when it is nobody's. */
export function progressForServer(bytes: Uint8Array): AboutRequest | undefined {
  return aboutRequest(bytes, ['params', 'progressToken'], 'params');
}

function aboutRequest(bytes: Uint8Array, path: Path, container: 'params' | 'result'): AboutRequest | undefined {
  const { text, message } = read(bytes);
  const [found] = valuesAt(text, message, path);
  const id = splitId(found?.value);
  if (found === undefined || id === undefined) return undefined;
  return {
    server: id.server,
    bytes: spliced(bytes, [{ span: found.span, text: id.own }, ...taskEdits(text, message, container, id.server)]),
  };
}

/** A list request with another cursor, or none. */
export function withCursor(bytes: Uint8Array, cursor: string | undefined): Uint8Array {
  const { text, message } = read(bytes);
  const [found] = valuesAt(text, message, ['params', 'cursor']);
  if (found === undefined) {
    if (cursor !== undefined) throw new RangeError('only a request that has a cursor can have another one');
    return bytes;
  }
  if (cursor !== undefined) return splice(bytes, [{ span: found.span, text: JSON.stringify(cursor) }]);
  const params = findMember(text, ROOT, 'params');
  const region = params && memberRegion(text, params.open, 'cursor');
  if (region === undefined) throw new RangeError('the cursor has no place in the text');
  return splice(bytes, [{ span: region, text: '' }]);
}

/** A `subscriptions/listen` request with only those resources that belong to one server, under the URIs that it knows. */
export function listenForServer(bytes: Uint8Array, server: string): Uint8Array {
  const { text, message } = read(bytes);
  const [found] = valuesAt(text, message, ['params', 'notifications', 'resourceSubscriptions']);
  if (found === undefined) return bytes;
  const uris = Array.isArray(found.value) ? found.value : [];
  const own = uris.flatMap((uri) => {
    const split = typeof uri === 'string' ? splitUri(uri) : undefined;
    return split?.server === server ? [split.own] : [];
  });
  return splice(bytes, [{ span: found.span, text: JSON.stringify(own) }]);
}

/** Messages that belong to a task say so, under the task's federated name. */
function taskEdits(text: MarkedText, message: unknown, container: 'params' | 'result', server: string): Edit[] {
  return valuesAt(text, message, [container, ...RELATED_TASK]).flatMap(({ value, span }) => {
    const split = typeof value === 'string' ? splitName(value) : undefined;
    return split?.server === server ? [{ span, text: JSON.stringify(split.own) }] : [];
  });
}

function read(bytes: Uint8Array): { readonly text: MarkedText; readonly message: unknown } {
  const document = parseStrictDocument(bytes, SEARCH_DEPTH);
  if (!document.ok) throw new TypeError('the message was read before');
  return { text: { bytes, marks: document.value.structure.marks }, message: document.value.value };
}

function spliced(bytes: Uint8Array, edits: Edit[]): Uint8Array {
  return splice(
    bytes,
    edits.sort((a, b) => a.span.start - b.span.start),
  );
}
