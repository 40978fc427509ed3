import type { Permit } from './permit.ts';
import type { AnswerHandler } from './relay.ts';
import type { Route } from './routes.ts';

/**
 * The leg to a server that does not serve Streamable HTTP itself. It answers as if it did, like the legs over the network, and like them takes
 * nothing but a permit.
 */
export interface ServerLeg {
  /** @param body the very bytes that were judged, trace context aside */
  post(permit: Permit, headers: Record<string, string>, body: Uint8Array, answer: AnswerHandler): void;
  /** A legacy session's GET or DELETE. */
  stream(permit: Permit, method: string | undefined, headers: Record<string, string>, answer: AnswerHandler): void;
}

/** The leg to a server; undefined for one that serves Streamable HTTP. */
export type ServerLegs = (route: Route) => ServerLeg | undefined;
