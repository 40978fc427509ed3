import { type Caller, plainHeaders } from './caller.ts';
import type { Message } from './message.ts';
import { META } from './meta-keys.ts';

/** A session as requests name it. */
export interface SessionFields {
  /** The server's own id; undefined when it gave none. */
  readonly sessionId: string | undefined;
  readonly protocolVersion: string | undefined;
}

/** A modern request as a legacy one. @param number the id, and the progress token if there is one, under which the server knows it */
export function legacyRequest(message: Message, number: number): Uint8Array {
  const hasToken = message.json.at('params', '_meta', 'progressToken') !== undefined;
  return message.json.with({
    id: String(number),
    params: {
      _meta: {
        [META.protocolVersion]: null,
        [META.clientCapabilities]: null,
        [META.clientInfo]: null,
        [META.logLevel]: null,
        ...(hasToken && { progressToken: String(number) }),
      },
      // A task would be the agent's to ask after, in a way that its era does not have.
      ...(message.method === 'tools/call' && { task: null }),
      inputResponses: null,
      requestState: null,
    },
  });
}

export function legacyHeaders(caller: Caller, { sessionId, protocolVersion }: SessionFields): Record<string, string> {
  return {
    ...plainHeaders(caller),
    ...(sessionId !== undefined && { 'mcp-session-id': sessionId }),
    ...(protocolVersion !== undefined && { 'mcp-protocol-version': protocolVersion }),
  };
}
