import type { IncomingMessage, ServerResponse } from 'node:http';

/** An MCP endpoint, whatever it is built with. */
export interface Endpoint {
  handle(request: IncomingMessage, response: ServerResponse): void;
  close(): Promise<void>;
}
