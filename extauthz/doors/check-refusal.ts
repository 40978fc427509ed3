import type { DeniedHttpResponse } from '../api/envoy-protos.ts';
import { fail } from '../api/result.ts';

/** Why a checked request does not go on. */
export interface CheckRefusal {
  /** `rejected`: it cannot be judged. `denied`: it was judged, or nobody could judge it. */
  readonly outcome: 'rejected' | 'denied';
  /** For audit and metrics: a `DenyCode`, or one of the codes below. */
  readonly code: string;
  /** A sentence the agent may see. */
  readonly reason: string;
  readonly httpStatus: DeniedHttpResponse['status']['code'];
  readonly rpcCode: number;
}

/** JSON-RPC codes of Sidegate's own answers; `denial on the wire` in docs. */
export const DENIED_CODE = 4030;
export const NO_DECISION_CODE = 5030;
/** `HeaderMismatch` of MCP 2026-07-28. */
const HEADER_MISMATCH_CODE = -32020;
const INVALID_REQUEST_CODE = -32600;

type Rejected = { readonly ok: false; readonly failure: CheckRefusal };

/** The request is not one that MCP defines. */
export function malformed(reason: string, rpcCode: number = INVALID_REQUEST_CODE): Rejected {
  return fail({ outcome: 'rejected', code: 'malformed', reason, httpStatus: 'BadRequest', rpcCode });
}

/** The proxy did not send what is needed to judge. The reason tells its operator what to set. */
export function unjudgeable(reason: string): Rejected {
  return fail({ outcome: 'rejected', code: 'incomplete_check', reason, httpStatus: 'Forbidden', rpcCode: DENIED_CODE });
}

/** Two places name the message differently, so the server might run another one than policy judged. */
export function disagreeing(reason: string): Rejected {
  return fail({ outcome: 'rejected', code: 'header_mismatch', reason, httpStatus: 'BadRequest', rpcCode: HEADER_MISMATCH_CODE });
}
