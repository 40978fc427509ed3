import type { AnswerController, AnswerHandler } from '../../sidecar/relay.ts';
import type { ServerLeg } from '../../sidecar/server-leg.ts';
import type { GeneratedAnswer } from './generated-answer.ts';

/** A message as it reached the server. */
export interface Forwarded {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What a server does with a message. */
export type Play = (forwarded: Forwarded) => GeneratedAnswer;

/** A server in this process: keeps what reaches it, and answers at the pace at which it is read. */
export class PlayedServer implements ServerLeg {
  readonly forwarded: Forwarded[] = [];
  play: Play;

  constructor(play: Play) {
    this.play = play;
  }

  post(_permit: unknown, headers: Record<string, string>, body: Uint8Array, answer: AnswerHandler): void {
    const forwarded = { headers, body: Buffer.from(body) };
    this.forwarded.push(forwarded);
    void give(this.play(forwarded), answer);
  }

  stream(_permit: unknown, _method: string | undefined, headers: Record<string, string>, answer: AnswerHandler): void {
    void give(this.play({ headers, body: Buffer.alloc(0) }), answer);
  }
}

async function give({ status, headers, pieces }: GeneratedAnswer, answer: AnswerHandler): Promise<void> {
  let resumed: PromiseWithResolvers<void> | undefined;
  let reason: Error | null = null;
  const controller: AnswerController = {
    get aborted() {
      return reason !== null;
    },
    get paused() {
      return resumed !== undefined;
    },
    get reason() {
      return reason;
    },
    pause() {
      resumed ??= Promise.withResolvers<void>();
    },
    resume() {
      resumed?.resolve();
      resumed = undefined;
    },
    abort(why) {
      if (reason !== null) return;
      reason = why;
      controller.resume();
      answer.onResponseError?.(controller, why);
    },
  };
  answer.onRequestStart?.(controller, {});
  if (reason !== null) return;
  answer.onResponseStart?.(controller, status, { ...headers });
  for (const piece of pieces) {
    if (reason !== null) return;
    answer.onResponseData?.(controller, piece);
    if (resumed !== undefined) await resumed.promise;
  }
  if (reason === null) answer.onResponseEnd?.(controller, {});
}
