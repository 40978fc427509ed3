import { eraOf, isKnownVersion } from '../mcp/protocol-version.ts';
import { type JsonObject, JsonText, written } from './json-text.ts';
import type { Message } from './message.ts';
import { INVALID_PARAMS, LEGACY_VERSION, META, UNSUPPORTED_VERSION } from './meta-keys.ts';

const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';

/** The revision that a legacy client is answered with: the one it asks for, if it is one. */
export function negotiatedVersion(requested: unknown): string {
  return typeof requested === 'string' && isKnownVersion(requested) && eraOf(requested) === 'legacy' ? requested : LEGACY_VERSION;
}

/** The result of `server/discover` as that of `initialize`, as JSON. @param server a name for a server that does not give its own */
export function initializeResult(discovered: JsonText, version: string, server: string): string {
  return written({
    protocolVersion: JSON.stringify(version),
    capabilities: withoutTasks(discovered.written('result', 'capabilities')),
    serverInfo: discovered.written('result', '_meta', META.serverInfo) ?? JSON.stringify({ name: server, version: '' }),
    instructions: discovered.written('result', 'instructions') ?? null,
  });
}

/** What the client is said to be able to do. Tasks differ between the eras, and are not translated. */
export function withoutTasks(capabilities: string | undefined): string {
  const read = JsonText.read(Buffer.from(capabilities ?? '{}'));
  if (!read.ok) return '{}';
  const json = read.value;
  const extensions = json.objectAt('extensions');
  const hasTasks = extensions !== undefined && Object.hasOwn(extensions, TASKS_EXTENSION);
  return Buffer.from(json.with({ tasks: null, ...(hasTasks && { extensions: { [TASKS_EXTENSION]: null } }) })).toString();
}

/** A modern response under the id that the agent sent. */
export function legacyResponse({ json }: Message, idJson: string): Uint8Array {
  // The codes from -32020 on are the modern era's own; this is the one that legacy clients know by another.
  const isUnsupported = json.at('error', 'code') === UNSUPPORTED_VERSION;
  return json.with({ id: idJson, ...(isUnsupported && { error: { code: String(INVALID_PARAMS) } }) });
}

/** What a client must have declared to be asked this; undefined for what no client may be asked. */
export function declaresMethod(capabilities: JsonObject, method: string, params: JsonObject | undefined): boolean | undefined {
  const has = (...path: string[]) => {
    let value: unknown = capabilities;
    for (const name of path) value = typeof value === 'object' && value !== null ? (value as JsonObject)[name] : undefined;
    return typeof value === 'object' && value !== null;
  };
  switch (method) {
    case 'elicitation/create':
      // Without modes named, forms are meant (MCP 2025-11-25, Elicitation).
      if (params?.['mode'] === 'url') return has('elicitation', 'url');
      return has('elicitation') && (has('elicitation', 'form') || !has('elicitation', 'url'));
    case 'sampling/createMessage':
      return params !== undefined && ('tools' in params || 'toolChoice' in params) ? has('sampling', 'tools') : has('sampling');
    case 'roots/list':
      return has('roots');
    default:
      return undefined;
  }
}
