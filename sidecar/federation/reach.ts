import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import type { InnerCalls } from '../inner-calls.ts';
import { encodeHeaderValue } from '../mcp/standard-headers.ts';
import { type Failure, NO_ANSWER } from './failure.ts';

/** A message for one server. */
export interface Part {
  readonly body: Uint8Array;
  /** What the server itself calls that which the message names, for `Mcp-Name`; undefined when it names nothing. */
  readonly own?: string;
  /** Aborting it is like an agent that goes away. */
  readonly signal?: AbortSignal;
}

/** The way from one request of the agent's to the servers. Fails only when nothing could be sent; what the server says is in the answer. */
export interface Reach {
  send(server: string, part: Part): Promise<Result<IncomingMessage, Failure>>;
}

/** The revisions without sessions: each part has all that its server needs. */
export class StatelessReach implements Reach {
  readonly #innerCalls: InnerCalls;
  readonly #headers: OutgoingHttpHeaders;

  /** @param headers those of the agent's request */
  constructor(innerCalls: InnerCalls, headers: OutgoingHttpHeaders) {
    this.#innerCalls = innerCalls;
    this.#headers = headers;
  }

  async send(server: string, { own, ...rest }: Part): Promise<Result<IncomingMessage, Failure>> {
    const headers = partHeadersFor(this.#headers, own);
    return answerOf(this.#innerCalls.call({ method: 'POST', path: pathOf(server), headers, ...rest }));
  }
}

/** An answer, as far as one has begun. */
export function answerOf(call: Promise<IncomingMessage>): Promise<Result<IncomingMessage, Failure>> {
  return call.then(ok, () => fail(NO_ANSWER));
}

/** The agent's fields as a part has them: without what belongs to the endpoint's own session, and naming what the part names. */
export function partHeadersFor(headers: OutgoingHttpHeaders, own: string | undefined): OutgoingHttpHeaders {
  const { 'mcp-session-id': _session, 'last-event-id': _event, ...rest } = headers;
  return own === undefined || rest['mcp-name'] === undefined ? rest : { ...rest, 'mcp-name': encodeHeaderValue(own) };
}

export function pathOf(server: string): string {
  return `/${server}/mcp`;
}
