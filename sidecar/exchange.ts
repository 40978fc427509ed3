import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditOutcome } from '../extauthz/api/audit-record.ts';
import type { Decision } from '../extauthz/api/decision.ts';
import type { Refusal } from './denial.ts';
import type { Route } from './routes.ts';

/**
 * One HTTP exchange with the agent, and what is known about it so far.
 * The steps of the pipeline fill it in; the record is written from it, however the exchange ended. Times are monotonic milliseconds.
 */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly arrivedAtMs: number;
  readonly arrivedAtUnixMs: number;
  route: Route | undefined;
  /** JSON-RPC method or one of the `http/` names; empty until known. */
  method: string;
  target: string;
  /** The JSON-RPC id exactly as the agent wrote it; undefined when there is none to answer to. */
  idJson: string | undefined;
  protocolVersion: string;
  /** Bytes of `params`; empty when there are none. */
  params: Uint8Array;
  argumentNames: readonly string[];
  requestBytes: number;
  decision: Decision | undefined;
  cached: boolean;
  /** Time spent waiting for the policy service. */
  decisionMs: number;
  forwardedAtMs: number | undefined;
  /** When the server's answer was complete. */
  answeredAtMs: number | undefined;
  refusal: Refusal | undefined;
  ending: Ending | undefined;
}

/** How the exchange ended, as far as the answer itself tells. */
export interface Ending {
  readonly outcome: AuditOutcome;
  /** Null when the connection was gone before an answer began. */
  readonly httpStatus: number | null;
  readonly rpcCode: number | null;
  readonly responseBytes: number;
}

const NO_PARAMS = new Uint8Array();
const NO_NAMES: readonly string[] = [];

export function openExchange(request: IncomingMessage, response: ServerResponse, arrivedAtMs: number, arrivedAtUnixMs: number): Exchange {
  return {
    request,
    response,
    arrivedAtMs,
    arrivedAtUnixMs,
    route: undefined,
    method: '',
    target: '',
    idJson: undefined,
    protocolVersion: '',
    params: NO_PARAMS,
    argumentNames: NO_NAMES,
    requestBytes: 0,
    decision: undefined,
    cached: false,
    decisionMs: 0,
    forwardedAtMs: undefined,
    answeredAtMs: undefined,
    refusal: undefined,
    ending: undefined,
  };
}
