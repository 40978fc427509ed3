import type { Principal } from './principal.ts';

/**
 * Why a message was refused. One spelling serves the wire, audit, metrics and spans.
 *
 * - `forbidden`: a `forbid` policy applies
 * - `not_permitted`: no `permit` policy applies (default deny)
 * - `policy_error`: a policy that applies could not be evaluated
 * - `invalid_arguments`: the arguments cannot be judged (wrong type, unsafe number, reserved key) and a policy reads them
 * - `unauthenticated`: no valid user token
 * - `unknown_server`: the server is not in the bundle's registry
 * - `no_credential`: allowed, but the user has no credential for this server
 * - `unavailable`: no decision could be had in time
 */
export const DENY_CODES = [
  'forbidden',
  'not_permitted',
  'policy_error',
  'invalid_arguments',
  'unauthenticated',
  'unknown_server',
  'no_credential',
  'unavailable',
] as const;
export type DenyCode = (typeof DENY_CODES)[number];

/** What the decision depended on, beyond principal, server, method and target. It may be cached only when both are false. */
export interface Vary {
  readonly arguments: boolean;
  readonly time: boolean;
}

/** What policy says, before credentials: the pure result of evaluating one operation. */
export interface Verdict {
  readonly effect: 'allow' | 'deny';
  /** Set exactly when `effect` is `deny`. */
  readonly code: DenyCode | undefined;
  /** A sentence the agent may see: the policy's `@reason`, or a standard one. Empty when allowed. */
  readonly reason: string;
  /** Ids (`@id`) of the policies that determined the verdict. */
  readonly policies: readonly string[];
  /** Ids of shadow policies that would have denied. */
  readonly wouldDeny: readonly string[];
  readonly vary: Vary;
}

export interface Header {
  /** Lower-case field name. */
  readonly name: string;
  readonly value: string;
}

/** What the enforcement point must do when it lets the message through. */
export interface Obligations {
  readonly setHeaders: readonly Header[];
  /** Lower-case field names. */
  readonly removeHeaders: readonly string[];
  /** Whose credential `setHeaders` carries, for audit: for example `file:alice`. Never the secret. */
  readonly credential: string;
}

export interface Decision extends Verdict {
  readonly id: string;
  /** Content hash of the policy bundle that decided. */
  readonly revision: string;
  /** Undefined when the caller could not be verified. */
  readonly principal: Principal | undefined;
  readonly obligations: Obligations;
  /**
   * Unix time in milliseconds after which the decision must not be kept: the earliest expiry of user token and credential.
   * A fresh answer is good even when this is past: tokens are verified with a tolerance for clocks that differ.
   */
  readonly expiresAtMs: number;
}
