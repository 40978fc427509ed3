import { rejected } from '../denial.ts';
import type { Endpoint } from '../endpoints.ts';
import { eraOf, PROTOCOL_VERSIONS } from '../mcp/protocol-version.ts';
import { unionOf } from './capabilities.ts';
import { type Failure, isDenied } from './failure.ts';
import { metaOf } from './merged-list.ts';
import { isObject } from './values-at.ts';

/** Revisions without a handshake in which the endpoint answers. */
const SERVED: readonly string[] = PROTOCOL_VERSIONS.filter((version) => eraOf(version) === 'modern');
/** MCP 2026-07-28, Versioning. Its answer has data of its own. */
export const UNSUPPORTED_VERSION = rejected('malformed', 400, 'Unsupported protocol version', -32022);

export function isServedVersion(version: string): boolean {
  return SERVED.includes(version);
}

/** The answer to a message of a revision that the endpoint does not know. */
export function unsupportedVersionBody(requested: string, idJson: string | undefined): string {
  const { rpcCode, reason } = UNSUPPORTED_VERSION;
  const error = { code: rpcCode, message: reason, data: { supported: SERVED, requested } };
  return `{"jsonrpc":"2.0","id":${idJson ?? 'null'},"error":${JSON.stringify(error)}}`;
}

/** The answer to `server/discover`, of what the servers said. Their instructions are left out: they may name what this user must not see. */
export function discoverBody(
  responses: readonly unknown[],
  failures: readonly Failure[],
  { endpoint, idJson }: { readonly endpoint: Endpoint; readonly idJson: string },
): string {
  const results = responses.flatMap((response) => (isObject(response) && isObject(response['result']) ? [response['result']] : []));
  const missing = failures.filter((failure) => !isDenied(failure)).length;
  const capabilities = unionOf(
    results.map((result) => result['capabilities']),
    endpoint,
    missing === 0,
  );
  const ttlMs = Math.min(...results.map(({ ttlMs: own }) => (typeof own === 'number' && own >= 0 ? own : 0)));
  const result = {
    resultType: 'complete',
    supportedVersions: SERVED,
    capabilities,
    // What a server that is missing can do, it can do when it is back.
    ttlMs: missing === 0 ? ttlMs : 0,
    cacheScope: 'private',
    ...metaOf('modern', missing),
  };
  return `{"jsonrpc":"2.0","id":${idJson},"result":${JSON.stringify(result)}}`;
}
