import { createHash } from 'node:crypto';
import type { Permit } from '../permit.ts';

/** Whose message goes to a server, and the fields that it goes with, credential included. */
export interface Caller {
  readonly permit: Permit;
  readonly headers: Readonly<Record<string, string>>;
}

/** What no two users share, and no two credentials of one user: sessions with a server and what it said in them are kept under it. */
export function callerKey({ permit: { route, decision }, headers }: Caller): string {
  const credential = [...decision.obligations.setHeaders.map(({ name, value }) => [name, value]), headers['authorization'] ?? null];
  return createHash('sha256')
    .update(JSON.stringify([route.name, route.url.href, decision.principal?.user.id ?? '', credential]))
    .digest('base64url');
}

/** The caller's fields without those that belong to a message of one era: those of a translated message take their place. */
export function plainHeaders({ headers }: Caller): Record<string, string> {
  const plain = Object.entries(headers).filter(([name]) => !name.startsWith('mcp-') && name !== 'last-event-id');
  return { ...Object.fromEntries(plain), 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
}
