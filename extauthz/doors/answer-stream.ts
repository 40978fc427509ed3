import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { endStream, type StreamEnd } from './stream-end.ts';

/**
 * Serves a two-way stream as questions and answers: each message read is answered by one written, many at a time, in any order.
 * Reading stops while too many are open or the peer does not take its answers, so a peer cannot make us hoard either.
 * @param answer may reject: that ends the stream, because the question cannot be answered here at all.
 * @returns how to end the stream: what is open is answered first, what was not read yet is not.
 */
export function answerStream<Question, Answer>(
  call: ServerDuplexStream<Question, Answer>,
  maxOpen: number,
  answer: (question: Question) => Promise<Answer>,
): (end: StreamEnd) => void {
  let open = 0;
  let ending: StreamEnd | undefined;
  let over = false;

  const settle = () => {
    if (over) return;
    if (ending !== undefined) {
      if (open > 0) return;
      over = true;
      endStream(call, ending);
    } else if (open < maxOpen && !call.writableNeedDrain) call.resume();
    else call.pause();
  };
  const end = (reason: StreamEnd) => {
    ending ??= reason;
    call.pause();
    settle();
  };
  const serve = async (question: Question) => {
    open += 1;
    if (open >= maxOpen) call.pause();
    try {
      const message = await answer(question);
      if (!over) call.write(message);
    } catch {
      end({ code: status.UNAVAILABLE, details: 'the policy service cannot answer at the moment' });
    } finally {
      open -= 1;
      settle();
    }
  };

  call.on('data', (question: Question) => void serve(question));
  call.on('drain', settle);
  call.on('end', () => end({ code: status.OK, details: '' }));
  call.on('close', () => {
    over = true;
  });
  return end;
}
