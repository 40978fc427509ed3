import type { PlannedCall } from './plan.ts';

/** What one server offered the agent. */
export interface SeenServer {
  readonly server: string;
  /** MCP revision that the client and the server agreed on. */
  readonly protocolVersion: string;
  readonly tools: readonly string[];
  readonly prompts: readonly string[];
  readonly resources: readonly string[];
}

/** How a call ended, as an SDK shows it to its application. */
export type CallOutcome =
  | { readonly kind: 'result'; readonly isError: boolean; readonly text: string; readonly structured: unknown }
  | { readonly kind: 'error'; readonly code: number | undefined; readonly message: string; readonly data: unknown };

export interface SeenCall extends PlannedCall {
  readonly outcome: CallOutcome;
  readonly latencyMs: number;
}

/** Everything the agent saw: the JSON document it prints. */
export interface AgentReport {
  readonly sdk: 'v1' | 'v2';
  readonly servers: readonly SeenServer[];
  readonly calls: readonly SeenCall[];
  /** One entry for each repetition of the measured call, in milliseconds. Empty unless repetitions were asked for. */
  readonly repeatedMs: readonly number[];
}
