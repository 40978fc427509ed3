import type { Permit } from './permit.ts';
import type { AnswerHandler } from './relay.ts';

/** The leg to servers that are processes of this pod. It answers like the legs over the network, and like them takes nothing but a permit. */
export interface StdioLeg {
  /** @param body the very bytes that were judged, trace context aside */
  post(permit: Permit, headers: Record<string, string>, body: Uint8Array, answer: AnswerHandler): void;
  /** A legacy session's GET or DELETE. */
  stream(permit: Permit, method: string | undefined, headers: Record<string, string>, answer: AnswerHandler): void;
}
