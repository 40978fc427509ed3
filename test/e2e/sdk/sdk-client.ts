import type { Root } from './client-answers.ts';
import type { McpClient } from './mcp-client.ts';
import type { Wire } from './wire.ts';

export interface ConnectOptions {
  /** How often a stream that ends is taken up again; none unless given. The SDK also does so after each error answer, and a replay repeats requests of the server. */
  readonly maxRetries?: number;
  /** A session to go on with, without another handshake. */
  readonly sessionId?: string;
  readonly roots?: readonly Root[];
}

/** A client on Streamable HTTP. */
export interface SdkClient extends McpClient {
  readonly wire: Wire;
  /** Ends the session with DELETE. */
  terminateSession(): Promise<unknown>;
}

/** The options of both lines' Streamable HTTP transport. */
export function transportOptions(wire: Wire, token: string | undefined, { maxRetries = 0, sessionId }: ConnectOptions) {
  return {
    fetch: wire.fetch,
    requestInit: token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    ...(sessionId !== undefined && { sessionId }),
    reconnectionOptions: { initialReconnectionDelay: 10, maxReconnectionDelay: 50, reconnectionDelayGrowFactor: 1, maxRetries },
  };
}
