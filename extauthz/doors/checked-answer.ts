import type { JsonRpcMessage } from '../api/json-rpc.ts';
import { HTTP_METHODS } from '../api/operation.ts';

/** What servers ask of clients (MCP schema, `ServerRequest`). */
const ASKED = ['elicitation/create', 'roots/list', 'sampling/createMessage'] as const;

/** A question to policy about one kind of request that a server may have made. */
export interface AskedQuestion {
  readonly method: string;
  readonly params: Uint8Array;
}

/**
 * What must be decided before a client's answer may pass here. A proxy sees requests one by one, so nobody knows what the server asked for;
 * an answer passes only where policy lets that server ask for something at all.
 * @returns one question a kind, any of which may allow it; none for a message that needs no such decision. An empty result is the answer to
 * `ping`, which every side may send.
 */
export function askedBefore(message: JsonRpcMessage | undefined): readonly AskedQuestion[] {
  if (message?.kind !== 'response') return [];
  if (message.outcome === 'result' && Object.keys(message.body).length === 0) return [];
  return ASKED.map((method) => ({ method: HTTP_METHODS.serverRequest, params: Buffer.from(JSON.stringify({ method })) }));
}
