import type { Logger } from '../../runtime/logger.ts';
import { type Refusal, refusalBody, upstreamFailed } from '../denial.ts';
import type { Permit } from '../permit.ts';
import type { AnswerHandler } from '../relay.ts';
import { AnswerStream, acceptedBy } from '../stdio/answer-stream.ts';

/** Answers a message by way of translation. Faults become refusals; without a verified user, who sessions belong to, there is no answer at all. */
export function answering(
  { route, decision }: Permit,
  headers: Record<string, string>,
  handler: AnswerHandler,
  logger: Logger,
  answerWith: (answer: AnswerStream, userId: string) => Promise<void>,
): void {
  const answer = new AnswerStream(handler, acceptedBy(headers['accept']));
  const userId = decision.principal?.user.id ?? '';
  if (userId === '') return answer.fail(upstreamFailed('upstream_credential', `the server ${route.name} is for verified users only`));
  answerWith(answer, userId).catch((error: unknown) => {
    logger.error({ err: error, server: route.name }, 'fault in the bridge between eras');
    answer.fail(upstreamFailed('upstream_unreachable', `the server ${route.name} could not be used; the sidecar’s log has the details`));
  });
}

/** Answers with a refusal under its own HTTP status. */
export function reject(answer: AnswerStream, refusal: Refusal, idJson: string | undefined): void {
  answer.finish(Buffer.from(refusalBody(refusal, idJson)), refusal.httpStatus);
}
