import { loadProtos, type RpcMethod, service } from './load-protos.ts';
import type { StdioCommand } from './stdio-command.ts';

/** The loaded definitions of `sidegate.v1`, for reflection. */
export const policyProtos = loadProtos('sidegate/v1/policy.proto');

/** The methods of `sidegate.v1.PolicyService`; `policy.proto` says what each is for and what its fields mean. */
export const policyService = service<{
  readonly Decide: RpcMethod<DecisionRequest, DecisionResponse>;
  readonly Watch: RpcMethod<WatchRequest, WatchEvent>;
  readonly Report: RpcMethod<AuditBatch, AuditAck>;
}>(policyProtos, 'sidegate.v1.PolicyService');

export interface DecisionRequest {
  readonly id: number;
  readonly server: string;
  readonly method: string;
  readonly params: Uint8Array;
  readonly userToken: string;
  readonly items: ListItems | null;
  readonly minRevision: string;
}

export interface ListItems {
  readonly names: readonly string[];
}

export interface DecisionResponse {
  readonly id: number;
  /** Anything but `ALLOW` is a denial, also a number that a newer service might send. */
  readonly effect: Effect;
  readonly decisionId: string;
  readonly revision: string;
  readonly code: string;
  readonly reason: string;
  readonly policies: readonly string[];
  readonly wouldDeny: readonly string[];
  readonly setHeaders: readonly HeaderMessage[];
  readonly removeHeaders: readonly string[];
  readonly credential: string;
  /** Absent counts as "read everything": not cacheable. */
  readonly vary: VaryMessage | null;
  readonly expiresAtMs: number;
  readonly principal: PrincipalMessage | null;
  readonly visible: readonly boolean[];
}

export type Effect = 'EFFECT_UNSPECIFIED' | 'ALLOW' | 'DENY';

export interface HeaderMessage {
  readonly name: string;
  readonly value: string;
}

export interface VaryMessage {
  readonly arguments: boolean;
  readonly time: boolean;
}

export interface PrincipalMessage {
  readonly userId: string;
  readonly subject: string;
  readonly issuer: string;
  readonly groups: readonly string[];
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Empty when the workload token is not pod-bound. */
  readonly pod: string;
}

export interface WatchRequest {
  readonly version: string;
}

export interface WatchEvent {
  readonly revision: string;
  readonly leaseMs: number;
  readonly routes: RoutesMessage | null;
  readonly revokedUsers: readonly string[];
  readonly views: readonly ViewMessage[];
}

export interface ViewMessage {
  readonly name: string;
  /** Each one `<server>.<tool>`. */
  readonly allowTools: readonly string[];
}

export interface RoutesMessage {
  readonly routes: readonly RouteMessage[];
}

export interface RouteMessage {
  readonly name: string;
  /** Empty for a stdio server. */
  readonly url: string;
  readonly transport: string;
  /** Set exactly for a stdio server. */
  readonly stdio: StdioCommand | null;
  /** `pass`, `drop`, or anything else for "judge". */
  readonly instructions: string;
  readonly tools: readonly string[];
  /** Whether agents show the server a credential of their own. */
  readonly agentCredential: boolean;
  /** `legacy`, `modern`, or empty. */
  readonly bridgeTo: string;
}

export interface AuditBatch {
  readonly id: number;
  /** Each one the UTF-8 JSON of an `AuditRecord`. */
  readonly records: readonly Uint8Array[];
}

export interface AuditAck {
  readonly id: number;
}
