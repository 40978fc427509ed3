import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { Obligations } from '../../extauthz/api/decision.ts';

/**
 * Request fields that a server gets from the agent. Everything else stops here: the agent's own credentials, hop-by-hop fields,
 * and whatever a server behind a proxy might take for a statement of identity (`x-forwarded-user` and its many kin).
 * `accept-encoding` is left out so that answers can be read.
 */
const FORWARDED: ReadonlySet<string> = new Set(['accept', 'accept-language', 'content-type', 'last-event-id', 'tracestate', 'user-agent']);

/** What a server takes for the credential that it gave the agent (RFC 6750, RFC 9449). */
const CREDENTIAL: ReadonlySet<string> = new Set(['authorization', 'dpop']);

function isForwarded(name: string): boolean {
  return FORWARDED.has(name) || (name.startsWith('mcp-') && name !== 'mcp-session-id');
}

/**
 * The fields of an upstream request, as undici and http-proxy-3 take them.
 * @param headers the agent's, with lower-case names
 * @param traceparent our own span, W3C Trace Context section 3.2
 * @param sessionId the server's own, in place of the sealed one that the agent holds
 * @param keepsCredential whether the agent's `Authorization` is for the server; policy must leave it, too
 */
export function upstreamHeaders(
  headers: IncomingHttpHeaders,
  { setHeaders, removeHeaders }: Obligations,
  traceparent: string | undefined,
  sessionId: string | undefined,
  keepsCredential = false,
): Record<string, string> {
  const sent: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    const isKept = isForwarded(name) || (keepsCredential && CREDENTIAL.has(name));
    if (typeof value === 'string' && isKept && !removeHeaders.includes(name)) sent[name] = value;
  }
  if (traceparent !== undefined) sent['traceparent'] = traceparent;
  if (sessionId !== undefined) sent['mcp-session-id'] = sessionId;
  for (const { name, value } of setHeaders) sent[name] = value;
  return sent;
}

/** Response fields that end here: hop-by-hop (RFC 9110 section 7.6.1), and what belongs to the credential that the agent does not hold. */
const WITHHELD: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'set-cookie2',
  'alt-svc',
  'clear-site-data',
  'location',
  'refresh',
  'www-authenticate',
]);

/**
 * The fields of the answer to the agent.
 * @param rewritten also drops what described the bytes that came from the server
 * @param sealSession names a session to the agent
 * @param passesChallenge whether the agent holds the credential that the server asks for
 */
export function downstreamHeaders(
  headers: IncomingHttpHeaders,
  rewritten: boolean,
  sealSession: (sessionId: string) => string | undefined,
  passesChallenge = false,
): OutgoingHttpHeaders {
  const sent: OutgoingHttpHeaders = {};
  const named = headers.connection === undefined ? undefined : new Set(headers.connection.toLowerCase().split(/\s*,\s*/));
  for (const name in headers) {
    const isChallenge = passesChallenge && name === 'www-authenticate';
    if ((WITHHELD.has(name) && !isChallenge) || named?.has(name)) continue;
    if (rewritten && (name === 'content-length' || name === 'etag' || name === 'digest' || name === 'content-digest')) continue;
    if (name !== 'mcp-session-id') sent[name] = headers[name];
  }
  const sessionId = headers['mcp-session-id'];
  if (sessionId !== undefined) {
    const sealed = typeof sessionId === 'string' ? sealSession(sessionId) : undefined;
    if (sealed !== undefined) sent['mcp-session-id'] = sealed;
  }
  return sent;
}
