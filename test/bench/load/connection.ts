import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { answerTemplate, type CallKind, type CallTarget, hasSession, requestTemplate, type SerialTemplate } from '../messages.ts';
import { openSession } from './session.ts';

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
const UNFRAMED = -1;
const CHUNKED = -2;

/**
 * One client connection: sends a call, waits for its whole answer, compares it with what it must be.
 * It speaks just enough HTTP for that, so that the load costs little beside what it measures.
 */
export class CallConnection {
  readonly #socket: Socket;
  readonly #request: SerialTemplate;
  readonly #answer: SerialTemplate;
  #head: Buffer = Buffer.alloc(0);
  #length = UNFRAMED;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #onAnswer: ((fault: string | undefined) => void) | undefined;

  private constructor(socket: Socket, request: SerialTemplate, answer: SerialTemplate) {
    this.#socket = socket;
    this.#request = request;
    this.#answer = answer;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#settle(error.message));
    socket.on('close', () => this.#settle('the connection was closed'));
  }

  /** Connects, with a session of its own where the kind has sessions. */
  static async open(kind: CallKind, target: CallTarget): Promise<CallConnection> {
    const request = requestTemplate(kind, target, hasSession(kind) ? await openSession(kind, target) : undefined);
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    await once(socket, 'connect');
    return new CallConnection(socket, request, answerTemplate(kind));
  }

  /** @param onAnswer is told what was wrong with the answer, or undefined when nothing was. */
  send(call: number, onAnswer: (fault: string | undefined) => void): void {
    this.#onAnswer = onAnswer;
    this.#answer.set(call);
    this.#request.set(call);
    this.#socket.write(this.#request.bytes);
  }

  close(): void {
    this.#onAnswer = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#heldBytes += chunk.length;
    this.#held.push(chunk);
    if (this.#held.length === 1) {
      const headEnd = chunk.indexOf(HEAD_END);
      // Both are sent in one piece by every gateway here; were they not, the call would count as failed.
      if (headEnd < 0) return this.#settle('a head in several pieces');
      this.#readHead(chunk.subarray(0, headEnd + HEAD_END.length));
    }
    const bodyBytes = this.#heldBytes - this.#head.length;
    if (this.#length === UNFRAMED) this.#settle(`an answer without length: ${this.#head.toString('latin1')}`);
    else if (this.#length === CHUNKED ? chunk.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK) : bodyBytes >= this.#length) this.#complete();
  }

  /** Heads repeat from one answer to the next, but for the second in `Date`. */
  #readHead(head: Buffer): void {
    if (head.equals(this.#head)) return;
    this.#head = Buffer.from(head);
    const text = head.toString('latin1');
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    if (!text.startsWith('HTTP/1.1 200 ')) this.#length = UNFRAMED;
    else if (length !== undefined) this.#length = Number(length);
    else this.#length = /\r\ntransfer-encoding: *chunked/i.test(text) ? CHUNKED : UNFRAMED;
  }

  #complete(): void {
    const whole = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
    const framed = whole.subarray(this.#head.length);
    const body = this.#length === CHUNKED ? unchunked(framed) : framed;
    this.#held = [];
    this.#heldBytes = 0;
    this.#settle(body.equals(this.#answer.bytes) ? undefined : `another answer than expected: ${body.toString('latin1', 0, 300)}`);
  }

  #settle(fault: string | undefined): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    onAnswer?.(fault);
  }
}

/** The content of a chunked body (RFC 9112 section 7.1). */
function unchunked(framed: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = framed.indexOf('\r\n', at);
    const size = Number.parseInt(framed.toString('latin1', at, lineEnd), 16);
    if (!(size > 0) || lineEnd < 0) return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    parts.push(framed.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
