import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Agent } from '../api/principal.ts';
import type { DecisionRequest, DecisionResponse } from '../api/protos.ts';
import type { DecisionService, Question } from '../decision-service.ts';
import type { ServiceMetrics } from '../metrics.ts';
import { answerStream } from './answer-stream.ts';
import { decisionResponse } from './decision-response.ts';
import { serveVerified, type VerifiedStreamOptions } from './verified-stream.ts';

export interface DecideOptions extends VerifiedStreamOptions {
  readonly decisions: DecisionService;
  readonly metrics: ServiceMetrics;
}

/** Questions of one sidecar that are decided at the same time; more wait in the connection. */
const MAX_OPEN_QUESTIONS = 1_024;

/** `sidegate.v1.PolicyService/Decide`: every question gets an answer on the same stream, if need be a denial. */
export function decideDoor(options: DecideOptions): (call: ServerDuplexStream<DecisionRequest, DecisionResponse>) => void {
  return (call) =>
    void serveVerified(call, options, ({ agent }) => answerStream(call, MAX_OPEN_QUESTIONS, (request) => answer(request, agent, options)));
}

async function answer(request: DecisionRequest, agent: Agent, { decisions, metrics }: DecideOptions): Promise<DecisionResponse> {
  const startedAt = performance.now();
  const { id, server, method, params, userToken, minRevision, items } = request;
  const question: Question = { agent, server, method, params, userToken, minRevision, keepsAgentCredential: true };
  const { visible, ...ruling } =
    items === null ? { ...(await decisions.decide(question)), visible: [] } : await decisions.filter(question, items.names);
  metrics.decided('decide', ruling, (performance.now() - startedAt) / 1_000);
  return decisionResponse(id, ruling, visible);
}
