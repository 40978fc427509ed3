import type { Changes, JsonText } from './json-text.ts';
import { written } from './json-text.ts';
import { withoutTasks } from './legacy-answer.ts';
import type { Message } from './message.ts';
import { META, METHOD_NOT_FOUND, MODERN_VERSION } from './meta-keys.ts';

/** Results that say how long they may be kept (MCP 2026-07-28, Caching). */
const CACHEABLE: ReadonlySet<string> = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);
/** How long a client may keep what the handshake said. */
const DISCOVERED_MS = 60_000;

/** The result of `initialize` as that of `server/discover`, as JSON. */
export function discoverResult(initialized: JsonText, server: string): string {
  const serverInfo = initialized.written('result', 'serverInfo') ?? JSON.stringify({ name: server, version: '' });
  return written({
    resultType: '"complete"',
    supportedVersions: JSON.stringify([MODERN_VERSION]),
    capabilities: withoutTasks(initialized.objectAt('result', 'capabilities') && initialized.written('result', 'capabilities')),
    instructions: initialized.written('result', 'instructions') ?? null,
    ttlMs: String(DISCOVERED_MS),
    cacheScope: '"private"',
    _meta: { [META.serverInfo]: serverInfo },
  });
}

/**
 * A legacy response under the id that the agent sent. It is complete, whatever it says: the legacy revisions know no other results.
 * A legacy server gives no leave to keep anything, so nothing is kept.
 */
export function modernResponse({ json }: Message, idJson: string, method: string): Uint8Array {
  if (json.objectAt('result') === undefined) return json.with({ id: idJson });
  const kept: Changes = CACHEABLE.has(method) ? { ttlMs: '0', cacheScope: '"private"' } : {};
  return json.with({ id: idJson, result: { resultType: '"complete"', ...kept } });
}

/** Errors that Streamable HTTP 2026-07-28 pairs with a status. */
export function modernStatus({ json }: Message): number {
  return json.at('error', 'code') === METHOD_NOT_FOUND ? 404 : 200;
}

/** A notification of a legacy server on a `subscriptions/listen`. */
export function onSubscription({ json }: Message, idJson: string): Uint8Array {
  return json.with({ params: { _meta: { [META.subscriptionId]: idJson } } });
}

/** A request that a legacy server makes, as one among the `inputRequests` of a result; JSON. */
export function inputRequest({ json, method }: Message): string {
  return written({ method: JSON.stringify(method), params: json.objectAt('params') ? (json.written('params') ?? null) : '{}' });
}
