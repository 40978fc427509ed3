import type { OutgoingHttpHeaders } from 'node:http';
import type { Endpoint } from '../endpoints.ts';
import type { Exchange } from '../exchange.ts';
import type { InboundMessage } from '../mcp/message.ts';

/** One request of the agent's to an endpoint of several servers. */
export interface Visit {
  readonly exchange: Exchange;
  readonly endpoint: Endpoint;
  /** The fields that hold for each of its parts. */
  readonly headers: OutgoingHttpHeaders;
  /** Aborted when the agent goes away before it is answered. */
  readonly gone: AbortController;
}

/** A visit with a message, which was read like any other: header and body agree. */
export interface MessageVisit extends Visit {
  readonly inbound: InboundMessage;
  readonly body: Buffer;
}
