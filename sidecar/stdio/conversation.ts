import type { Logger } from '../../runtime/logger.ts';
import { type Refusal, upstreamFailed } from '../denial.ts';
import type { Era } from '../mcp/protocol-version.ts';
import type { AnswerStream } from './answer-stream.ts';
import { HeldMessages } from './held-messages.ts';
import { type LineMessage, looseResponseId, type Reference, readLine, withReferences, written } from './line-message.ts';

/** The server's end of the conversation. */
export interface Peer {
  readonly inputBacklogBytes: number;
  write(message: Uint8Array): void;
  pauseOutput(): void;
  resumeOutput(): void;
}

export interface ConversationOptions {
  readonly server: string;
  readonly era: Era;
  readonly maxLineBytes: number;
  readonly answerTimeoutMs: number;
  readonly logger: Logger;
}

/** A request that the server has not answered. */
interface OpenCall {
  /** As the server knows it. */
  readonly number: number;
  readonly message: LineMessage;
  readonly answer: AnswerStream;
  /** Told whether it was answered with a result. */
  readonly onAnswered: (isResult: boolean) => void;
}

/** Unread output beyond this stops the reading of more. */
const MAX_QUEUED_BYTES = 1_048_576;
/** A cancelled call gets so long to be answered all the same. */
const CANCEL_GRACE_MS = 1_000;
const METHOD_NOT_FOUND = -32601;
/** Errors that Streamable HTTP 2026-07-28 pairs with a status. */
const MODERN_STATUS: ReadonlyMap<number, number> = new Map([
  [METHOD_NOT_FOUND, 404],
  [-32020, 400],
  [-32021, 400],
  [-32022, 400],
]);

/**
 * What goes back and forth with one server process. Requests get numbers of our own, because callers that share a process know nothing of
 * each other's ids; answers go back under the id that was sent, byte for byte. In a legacy session the process has one client; a modern
 * process serves all calls of one user.
 */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #peer: Peer;
  readonly #open = new Map<number, OpenCall>();
  readonly #held = new HeldMessages();
  #stream: AnswerStream | undefined;
  #lastNumber = 0;
  #outputPaused = false;

  constructor(peer: Peer, options: ConversationOptions) {
    this.#peer = peer;
    this.#options = options;
  }

  get isBusy(): boolean {
    return this.#open.size > 0 || this.#stream !== undefined;
  }

  request(message: LineMessage, answer: AnswerStream, onAnswered: OpenCall['onAnswered'] = () => {}): void {
    if (answer.aborted) return onAnswered(false);
    if (this.#peer.inputBacklogBytes > this.#options.maxLineBytes) {
      onAnswered(false);
      return answer.fail(this.#failed(`does not read what it is sent`));
    }
    this.#lastNumber += 1;
    const call: OpenCall = { number: this.#lastNumber, message, answer, onAnswered };
    this.#open.set(call.number, call);
    answer.onAbort = () => this.#giveUp(call);
    answer.onDrain = () => this.#relievePressure();
    answer.beginWithin(this.#options.answerTimeoutMs, () => {
      this.#giveUp(call);
      answer.fail(this.#failed('did not answer in time'));
    });
    const number = String(call.number);
    // A legacy token may outlive its call (a task's progress), so there it stays as it is. The session has one client, which keeps its tokens apart.
    const token = this.#options.era === 'modern' ? message.progressToken : undefined;
    this.#peer.write(
      withReferences(message, [
        [message.id, number],
        [token, number],
      ]),
    );
  }

  /** A notification, or a response to a request of the server: legacy only. */
  forward(message: LineMessage): void {
    if (message.method !== 'notifications/cancelled') return this.#peer.write(message.bytes);
    const cancelled = this.#callOf(message.requestId);
    // It was answered meanwhile. To the server the same id could be that of another call.
    if (cancelled === undefined) return;
    this.#peer.write(withReferences(message, [[message.requestId, String(cancelled.number)]]));
    // Whoever cancels expects no answer, but the exchange needs an end.
    setTimeout(() => this.#close(cancelled), CANCEL_GRACE_MS).unref();
  }

  /** Opens the stream for what belongs to no call: legacy only. A later one takes the place of an earlier one, whose reader may be gone. */
  openStream(answer: AnswerStream): void {
    if (answer.aborted) return;
    this.#stream?.close();
    this.#stream = answer;
    answer.onAbort = () => {
      if (this.#stream === answer) this.#stream = undefined;
    };
    answer.onDrain = () => this.#relievePressure();
    answer.openStream();
    for (const message of this.#held.take()) answer.send(message);
  }

  /** A line from the server. */
  take(line: Buffer): void {
    const read = readLine(line);
    if (!read.ok) {
      this.#options.logger.warn({ fault: read.failure, bytes: line.length }, 'a line of a stdio server is no message');
      const call = this.#open.get(looseResponseId(line) ?? 0);
      if (call !== undefined) this.#fail(call, 'gave an answer that cannot be read');
      return;
    }
    const message = read.value.bytes.includes(0x0d) ? withoutCr(read.value) : read.value;
    if (message.kind === 'response') this.#answer(message);
    else if (this.#options.era === 'modern') this.#takeModern(message);
    else this.#deliver(message.bytes, this.#legacyReader(message));
    this.#applyPressure();
  }

  /** A message that was written did not get to the server. */
  undelivered(message: Uint8Array, why: string): void {
    const read = readLine(message);
    const call = read.ok && read.value.kind === 'request' ? this.#byNumber(read.value.id) : undefined;
    if (call !== undefined) this.#fail(call, why);
  }

  /** A line that was too long to be kept. Whose it was can only be told when there is no choice. */
  takeOversized(): void {
    const { logger, maxLineBytes } = this.#options;
    logger.warn({ maxLineBytes }, 'a line of a stdio server is too long');
    const [only, ...others] = this.#open.values();
    if (only !== undefined && others.length === 0) this.#fail(only, `wrote a line of more than ${maxLineBytes} bytes`);
  }

  /** The server is gone. */
  end(refusal: Refusal): void {
    for (const call of [...this.#open.values()]) {
      this.#open.delete(call.number);
      call.answer.fail(refusal);
      call.onAnswered(false);
    }
    this.#stream?.close();
    this.#stream = undefined;
  }

  #answer(message: LineMessage): void {
    const { id, errorCode } = message;
    const call = typeof id?.value === 'number' ? this.#open.get(id.value) : undefined;
    if (call === undefined) return this.#options.logger.debug('a stdio server answered a request that is not open');
    this.#open.delete(call.number);
    const restored = withReferences(message, [
      [id, originalId(call)],
      [this.#refersTo(message.subscriptionId, call) ? message.subscriptionId : undefined, originalId(call)],
    ]);
    call.onAnswered(errorCode === undefined);
    call.answer.finish(restored, (this.#options.era === 'modern' && errorCode !== undefined && MODERN_STATUS.get(errorCode)) || 200);
  }

  /** In a modern conversation everything belongs to a request; what belongs to none has nobody to go to. */
  #takeModern(message: LineMessage): void {
    const { logger } = this.#options;
    if (message.kind === 'request') {
      logger.warn({ method: message.method }, 'a stdio server sent a request, which 2026-07-28 does not have');
      const error = { code: METHOD_NOT_FOUND, message: 'clients of this protocol version take no requests' };
      const id = message.id === undefined ? 'null' : written(message, message.id);
      return this.#peer.write(Buffer.from(`{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(error)}}`));
    }
    const { progressToken, subscriptionId, requestId, method } = message;
    if (method === 'notifications/cancelled') {
      const call = this.#byNumber(requestId);
      if (call !== undefined) this.#close(call);
      return;
    }
    const call =
      this.#byNumber(subscriptionId) ??
      this.#byNumber(progressToken) ??
      (method === 'notifications/message' ? this.#logReader() : undefined);
    if (call === undefined) return logger.debug({ method }, 'a notification of a stdio server belongs to no open request');
    const token = call.message.progressToken;
    const restored = withReferences(message, [
      [this.#refersTo(subscriptionId, call) ? subscriptionId : undefined, originalId(call)],
      [this.#refersTo(progressToken, call) ? progressToken : undefined, token === undefined ? '0' : written(call.message, token)],
    ]);
    this.#deliver(restored, call.answer.canStream ? call.answer : undefined);
  }

  /** Log messages name no request: they go to the oldest one that asked for any. All calls here are of one user. */
  #logReader(): OpenCall | undefined {
    return [...this.#open.values()].find(({ message }) => message.wantsLog);
  }

  /** Where a legacy server's own message goes: to the call it is for, as far as that can be told, else to the GET stream. */
  #legacyReader({ method, progressToken }: LineMessage): AnswerStream | undefined {
    // The answer to `initialize` names the session in its head, so nothing may come before it.
    const calls = [...this.#open.values()].filter(({ answer, message }) => answer.canStream && message.method !== 'initialize');
    const stream = this.#stream?.canStream === true ? this.#stream : undefined;
    if (progressToken !== undefined) {
      const own = calls.find(({ message }) => message.progressToken?.value === progressToken.value);
      return (own?.answer ?? stream) || calls.at(-1)?.answer;
    }
    const isOfSession = /\/(?:list_changed|updated|status|complete)$/.test(method);
    if (isOfSession && stream !== undefined) return stream;
    return calls.length === 1 ? calls[0]?.answer : (stream ?? calls.at(-1)?.answer);
  }

  #deliver(message: Uint8Array, reader: AnswerStream | undefined): void {
    if (reader !== undefined) reader.send(message);
    else if (this.#options.era === 'legacy' && this.#held.add(message) > 0)
      this.#options.logger.warn('messages of a stdio server were dropped, because no stream is open for them');
  }

  #giveUp(call: OpenCall): void {
    if (!this.#open.delete(call.number)) return;
    call.onAnswered(false);
    const params = { requestId: call.number, reason: 'the caller is gone' };
    this.#peer.write(Buffer.from(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params })));
  }

  #close(call: OpenCall): void {
    if (!this.#open.delete(call.number)) return;
    call.onAnswered(false);
    if (call.answer.canStream) call.answer.close();
    else call.answer.fail(this.#failed('was told that the call is cancelled'));
  }

  #fail(call: OpenCall, why: string): void {
    this.#open.delete(call.number);
    call.answer.fail(upstreamFailed('upstream_answer', `the server ${this.#options.server} ${why}`));
    call.onAnswered(false);
  }

  #failed(why: string): Refusal {
    return upstreamFailed('upstream_unreachable', `the server ${this.#options.server} ${why}`);
  }

  /** The open call that the client knows by this id; the latest, should it have used one twice. */
  #callOf(id: Reference | undefined): OpenCall | undefined {
    return id === undefined ? undefined : [...this.#open.values()].findLast(({ message }) => message.id?.value === id.value);
  }

  #byNumber(id: Reference | undefined): OpenCall | undefined {
    return typeof id?.value === 'number' ? this.#open.get(id.value) : undefined;
  }

  #refersTo(id: Reference | undefined, call: OpenCall): boolean {
    return this.#options.era === 'modern' && id?.value === call.number;
  }

  get #queuedBytes(): number {
    let bytes = this.#stream?.queuedBytes ?? 0;
    for (const { answer } of this.#open.values()) bytes += answer.queuedBytes;
    return bytes;
  }

  #applyPressure(): void {
    if (this.#outputPaused || this.#queuedBytes <= MAX_QUEUED_BYTES) return;
    this.#outputPaused = true;
    this.#peer.pauseOutput();
  }

  #relievePressure(): void {
    if (!this.#outputPaused || this.#queuedBytes > MAX_QUEUED_BYTES) return;
    this.#outputPaused = false;
    this.#peer.resumeOutput();
  }
}

function originalId({ message }: OpenCall): string {
  return message.id === undefined ? 'null' : written(message, message.id);
}

/** A CR between tokens would end the line of an event. As a space it means the same. */
function withoutCr(message: LineMessage): LineMessage {
  return { ...message, bytes: Buffer.from(message.bytes).map((byte) => (byte === 0x0d ? 0x20 : byte)) };
}
