import { INVALID_PARAMS } from '../../extauthz/api/json-rpc-fault.ts';
import { noDecision, type Refusal, rejected } from '../denial.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Exchange } from '../exchange.ts';
import type { ListKind } from '../list-changes.ts';
import type { Era } from '../mcp/protocol-version.ts';
import type { Outcome } from './door-options.ts';
import { commonFailure, type Failure, failureBody, METHOD_NOT_FOUND } from './failure.ts';

/** Answers with a JSON-RPC message. */
export function sendJson({ response }: Exchange, body: string | Uint8Array, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** The answer when no server gave one. */
export function nobody(exchange: Exchange, failures: readonly Failure[]): Outcome {
  if (failures.length === 0) return noDecision('no server is registered that could answer');
  sendJson(exchange, failureBody(commonFailure(failures), exchange.idJson));
  return 'passed';
}

export function unknownMethod(era: Era): Refusal {
  return rejected('malformed', era === 'modern' ? 404 : 200, 'this endpoint has no such method', METHOD_NOT_FOUND);
}

/** What the agent names belongs to none of its servers, or is not written as `server.name` or `server+uri`. */
export function unknownName(): Refusal {
  return rejected('unknown_route', 200, 'there is nothing of this name here', INVALID_PARAMS);
}

/** The lists of an endpoint among these. */
export function kindsOf({ view }: Endpoint, kinds: readonly ListKind[]): readonly ListKind[] {
  return view === undefined ? kinds : kinds.filter((kind) => kind === 'tools');
}

/** Settles when the answer is over, or the agent is gone. */
export function closed({ response }: Exchange): Promise<void> {
  if (response.closed || response.destroyed) return Promise.resolve();
  return new Promise((resolve) => response.once('close', resolve));
}
