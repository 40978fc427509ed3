import { findMember, type MarkedText, ROOT } from '../../extauthz/api/json-members.ts';
import { type Span, utf8Text } from '../../extauthz/api/json-structure.ts';
import { parseStrictDocument } from '../../extauthz/api/strict-json.ts';
import type { Era } from '../mcp/protocol-version.ts';
import { type Edit, splice } from '../mcp/splice.ts';
import { federatedId, federatedName, federatedUri } from './names.ts';
import { isObject, type Path, SEARCH_DEPTH, valuesAt } from './values-at.ts';

/** A message of one server's, as the agent of all servers may read it. */
export interface FromServer {
  readonly kind: 'request' | 'notification' | 'response';
  /** Empty for a response. */
  readonly method: string;
  readonly message: Readonly<Record<string, unknown>>;
  /** With the server's name in every name and URI that it speaks of, and every other byte as it was. */
  readonly bytes: Uint8Array;
}

type Kind = 'name' | 'uri';

const RELATED_TASK = ['_meta', 'io.modelcontextprotocol/related-task', 'taskId'];

/** Where content blocks name resources: links, and what is embedded. */
function blocks(...to: Path): readonly Path[] {
  return [
    [...to, 'uri'],
    [...to, 'resource', 'uri'],
  ];
}

const URIS_IN_RESULTS: readonly Path[] = [
  ['result', 'resources', '*', 'uri'],
  ['result', 'resourceTemplates', '*', 'uriTemplate'],
  ['result', 'contents', '*', 'uri'],
  ...blocks('result', 'content', '*'),
  ...blocks('result', 'messages', '*', 'content'),
  ...blocks('result', 'messages', '*', 'content', '*'),
  // What a task has come to (2026-07-28).
  ...blocks('result', 'result', 'content', '*'),
];

const NAMES_IN_RESULTS: readonly Path[] = [
  ['result', 'tools', '*', 'name'],
  ['result', 'prompts', '*', 'name'],
  ['result', 'taskId'],
  ['result', 'task', 'taskId'],
  ['result', 'tasks', '*', 'taskId'],
  ['result', ...RELATED_TASK],
];

const NAMES_IN_CALLS: readonly Path[] = [['params', ...RELATED_TASK]];

const NAMES_IN_NOTIFICATIONS: ReadonlyMap<string, readonly (readonly [Kind, Path])[]> = new Map([
  ['notifications/resources/updated', [['uri', ['params', 'uri']]]],
  ['notifications/tasks', [['name', ['params', 'taskId']]]],
  ['notifications/tasks/status', [['name', ['params', 'taskId']]]],
]);

/** Reads one message that the request path let through. Undefined when it is none; nothing of it may then be passed on. */
export function fromServer(server: string, era: Era, bytes: Uint8Array): FromServer | undefined {
  const document = parseStrictDocument(bytes, SEARCH_DEPTH, { loneSurrogates: true });
  if (!document.ok || !isObject(document.value.value)) return undefined;
  const message = document.value.value;
  const text: MarkedText = { bytes, marks: document.value.structure.marks };
  const edits: Edit[] = [];
  const rename = (kind: Kind, paths: readonly Path[]) => {
    for (const path of paths) edits.push(...renamed(server, kind, text, message, path));
  };
  const method = message['method'];
  if (typeof method !== 'string') {
    if ('result' in message === 'error' in message) return undefined;
    rename('uri', URIS_IN_RESULTS);
    rename('name', NAMES_IN_RESULTS);
    return { kind: 'response', method: '', message, bytes: spliced(bytes, edits) };
  }
  rename('name', NAMES_IN_CALLS);
  const id = findMember(text, ROOT, 'id');
  if (id !== undefined) {
    edits.push({ span: id.value, text: federatedId(server, written(bytes, id.value)) });
    // Servers count their tokens alike; the agent's progress must find the one that wants to know.
    for (const { span } of valuesAt(text, message, ['params', '_meta', 'progressToken']))
      edits.push({ span, text: federatedId(server, written(bytes, span)) });
    return { kind: 'request', method, message, bytes: spliced(bytes, edits) };
  }
  for (const [kind, path] of NAMES_IN_NOTIFICATIONS.get(method) ?? []) rename(kind, [path]);
  // The server takes back a request of its own. Modern servers make none: there it is the agent's id.
  if (method === 'notifications/cancelled' && era === 'legacy') {
    for (const { span } of valuesAt(text, message, ['params', 'requestId']))
      edits.push({ span, text: federatedId(server, written(bytes, span)) });
  }
  return { kind: 'notification', method, message, bytes: spliced(bytes, edits) };
}

function renamed(server: string, kind: Kind, text: MarkedText, message: unknown, path: Path): Edit[] {
  const rename = kind === 'name' ? federatedName : federatedUri;
  return valuesAt(text, message, path).flatMap(({ value, span }) =>
    typeof value === 'string' ? [{ span, text: JSON.stringify(rename(server, value)) }] : [],
  );
}

function spliced(bytes: Uint8Array, edits: Edit[]): Uint8Array {
  return splice(
    bytes,
    edits.sort((a, b) => a.span.start - b.span.start),
  );
}

function written(bytes: Uint8Array, { start, end }: Span): string {
  return utf8Text(bytes.subarray(start, end));
}
