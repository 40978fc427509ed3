import type { Struct } from '../api/envoy-protos.ts';
import type { JsonRpcMessage } from '../api/json-rpc.ts';
import { ok, type Result } from '../api/result.ts';
import { type CheckRefusal, disagreeing, unjudgeable } from './check-refusal.ts';
import type { HeaderFields } from './header-fields.ts';
import { structMember } from './struct.ts';

/** What a message is, as its body says. Whoever else says it must say the same. */
interface Facts {
  readonly method: string | undefined;
  /** What `Mcp-Name` repeats: `params.name`, or for some methods `params.uri` or `params.taskId`. */
  readonly name: unknown;
  readonly protocolVersion: unknown;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Header fields that repeat a fact: MCP 2026-07-28 (SEP-2243), and the spellings of routers that were there before. */
const REPEATED_IN_HEADERS: readonly (readonly [header: string, fact: 'method' | 'name'])[] = [
  ['mcp-method', 'method'],
  ['x-mcp-method', 'method'],
  ['mcp-name', 'name'],
  ['x-mcp-toolname', 'name'],
];
const TARGET_KEYS = ['name', 'uri', 'taskId'] as const;
const BASE64_FORM = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;
/** Metadata of Envoy's MCP filter, and of filters that are named for doing the same. */
const MCP_NAMESPACE = /mcp/i;

/** Compares the body with what headers and the proxy's own MCP filter say. Policy judges the body; a server, or the next proxy, may go by the others. */
export function agreement(
  message: JsonRpcMessage,
  headers: HeaderFields,
  filterMetadata: Readonly<Record<string, Struct>>,
): Result<void, CheckRefusal> {
  const facts = factsOf(message);
  for (const [header, fact] of REPEATED_IN_HEADERS) {
    const values = headers.all(header);
    if (values.length > 1) return disagreeing(`${header} was sent more than once`);
    const [value] = values;
    if (value !== undefined && decoded(value) !== facts[fact]) return disagreeing(`${header} does not say what the message says`);
  }
  const version = headers.get('mcp-protocol-version');
  if (version !== undefined && facts.protocolVersion !== undefined && version !== facts.protocolVersion) {
    return disagreeing('mcp-protocol-version does not say what the message says');
  }
  for (const [namespace, metadata] of Object.entries(filterMetadata)) {
    if (!MCP_NAMESPACE.test(namespace)) continue;
    const exceeding = structMember(metadata, ['is_exceeding_limit']);
    if (exceeding !== undefined && exceeding.boolValue !== false) return unjudgeable('the proxy read only a part of the message');
    if (contradicts(metadata, ['method'], facts.method)) return disagreeing('the proxy read another method');
    for (const key of TARGET_KEYS) {
      if (contradicts(metadata, ['params', key], facts.params[key])) return disagreeing('the proxy read another target');
    }
  }
  return ok(undefined);
}

function factsOf(message: JsonRpcMessage): Facts {
  if (message.kind === 'response') return { method: undefined, name: undefined, protocolVersion: undefined, params: {} };
  const { method, params = {}, meta } = message;
  return { method, name: params[targetKey(method)], protocolVersion: meta?.['io.modelcontextprotocol/protocolVersion'], params };
}

function targetKey(method: string): (typeof TARGET_KEYS)[number] {
  if (method.startsWith('resources/')) return 'uri';
  return method.startsWith('tasks/') ? 'taskId' : 'name';
}

/** Non-ASCII values travel as `=?base64?...?=`. */
function decoded(value: string): string {
  const encoded = BASE64_FORM.exec(value)?.[1];
  return encoded === undefined ? value : Buffer.from(encoded, 'base64').toString('utf8');
}

function contradicts(metadata: Struct, path: readonly string[], fact: unknown): boolean {
  const value = structMember(metadata, path);
  return value !== undefined && value.stringValue !== fact;
}
