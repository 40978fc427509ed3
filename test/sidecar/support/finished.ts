import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Decision } from '../../../extauthz/api/decision.ts';
import { type Ending, type Exchange, openExchange } from '../../../sidecar/exchange.ts';

export const ARRIVED_AT_UNIX_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 67);

export const OK: Ending = { outcome: 'ok', httpStatus: 200, rpcCode: null, responseBytes: 300 };

export function decision(changes: Partial<Decision> = {}): Decision {
  return {
    effect: 'allow',
    code: undefined,
    reason: '',
    policies: ['p1'],
    wouldDeny: [],
    vary: { arguments: false, time: false },
    id: 'd1',
    revision: 'r1',
    principal: {
      user: { id: 'alice', subject: 'alice', issuer: 'https://idp', groups: ['g'] },
      agent: { namespace: 'ns', serviceAccount: 'sa', pod: undefined },
    },
    obligations: { setHeaders: [], removeHeaders: [], credential: 'file:alice' },
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    ...changes,
  } as Decision;
}

/** A forwarded `tools/call` that took 10 ms, 8 of them upstream. */
export function finishedCall(changes: Partial<Exchange> = {}): Exchange {
  const exchange = openExchange({ httpVersion: '1.1' } as IncomingMessage, {} as ServerResponse, 1_000, ARRIVED_AT_UNIX_MS);
  return Object.assign(exchange, {
    route: { name: 'tickets', url: new URL('http://tickets.example:8080/mcp') },
    method: 'tools/call',
    target: 'list_issues',
    idJson: '"a"',
    protocolVersion: '2025-11-25',
    params: Buffer.from('{"name":"list_issues"}'),
    argumentNames: ['query'],
    requestBytes: 200,
    decision: decision(),
    cached: true,
    forwardedAtMs: 1_001,
    answeredAtMs: 1_009,
    ...changes,
  });
}
