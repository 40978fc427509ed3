import type { IncomingHttpHeaders } from 'node:http';
import type { Refusal } from '../denial.ts';
import { type AnswerController, type AnswerHandler, AnswerWithheld } from '../relay.ts';

/** What the caller takes, by its `Accept` field. */
export interface Accepted {
  readonly json: boolean;
  readonly events: boolean;
}

type Step = { readonly bytes: number; readonly deliver: () => void };

/**
 * One answer of Streamable HTTP, given to whoever would else read it from a connection: JSON when the response is all there is to say,
 * an event stream as soon as something comes before it. Keeps to the reader's pace.
 */
export class AnswerStream implements AnswerController {
  readonly #handler: AnswerHandler;
  readonly #accepted: Accepted;
  readonly #fields: Record<string, string> = {};
  #steps: Step[] = [];
  #queuedBytes = 0;
  #delivering = false;
  #isStream = false;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;
  /** Called once when the caller has gone, or gave up on this answer. */
  onAbort: () => void = () => {};
  /** Called when everything queued has been taken. */
  onDrain: () => void = () => {};
  aborted = false;
  paused = false;
  reason: Error | null = null;

  /** The caller may be gone by the time this returns: see `aborted`. */
  constructor(handler: AnswerHandler, accepted: Accepted) {
    this.#handler = handler;
    this.#accepted = accepted;
    handler.onRequestStart?.(this, {});
  }

  get isOver(): boolean {
    return this.#ended || this.aborted;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether something may be said before the response. */
  get canStream(): boolean {
    return !this.isOver && this.#accepted.events;
  }

  /** Adds a field to the head, which must not have been sent. */
  setField(name: string, value: string): void {
    this.#fields[name] = value;
  }

  /** Calls back unless an answer has begun by then. */
  beginWithin(timeoutMs: number, onTimeout: () => void): void {
    this.#timer = setTimeout(onTimeout, timeoutMs).unref();
  }

  /** Opens the event stream, before there is anything to say on it. */
  openStream(): void {
    if (this.#isStream || this.isOver) return;
    this.#isStream = true;
    this.#head(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', ...this.#fields });
  }

  /** Sends a message that is not the last. `canStream` must hold. */
  send(message: Uint8Array): void {
    this.openStream();
    this.#data(asEvent(message));
  }

  /** Sends the last message. */
  finish(message: Uint8Array, status = 200): void {
    if (this.isOver) return;
    // A status other than 200 has a body that is no stream, whatever was asked for.
    if (this.#isStream || (!this.#accepted.json && status === 200)) this.send(message);
    else {
      this.#head(status, { 'content-type': 'application/json', 'content-length': String(message.length), ...this.#fields });
      this.#data(message);
    }
    this.#end();
  }

  /** Ends the answer without a last message. */
  close(): void {
    if (this.isOver) return;
    this.openStream();
    this.#end();
  }

  /** Answers with a status and no message. */
  status(status: number, fields: Record<string, string> = {}): void {
    if (this.isOver) return;
    this.#head(status, { 'content-length': '0', ...fields });
    this.#end();
  }

  /** The server failed. Whoever relays the answer says so to the agent, in the form that the answer has by now. */
  fail(refusal: Refusal): void {
    if (this.isOver) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#queue(0, () => this.#handler.onResponseError?.(this, new AnswerWithheld(refusal)));
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    const wasOpen = !this.#ended;
    this.aborted = true;
    this.reason = reason;
    clearTimeout(this.#timer);
    this.#steps = [];
    this.#queuedBytes = 0;
    this.#handler.onResponseError?.(this, reason);
    if (wasOpen) this.onAbort();
    this.onDrain();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#deliver();
  }

  #head(status: number, headers: IncomingHttpHeaders): void {
    clearTimeout(this.#timer);
    this.#queue(0, () => this.#handler.onResponseStart?.(this, status, headers));
  }

  #data(bytes: Uint8Array): void {
    this.#queue(bytes.length, () => this.#handler.onResponseData?.(this, Buffer.from(bytes)));
  }

  #end(): void {
    this.#ended = true;
    this.#queue(0, () => this.#handler.onResponseEnd?.(this, {}));
  }

  #queue(bytes: number, deliver: () => void): void {
    this.#steps.push({ bytes, deliver });
    this.#queuedBytes += bytes;
    this.#deliver();
  }

  /** Delivering one step may pause, resume or abort. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    while (!this.paused && !this.aborted) {
      const step = this.#steps.shift();
      if (step === undefined) break;
      this.#queuedBytes -= step.bytes;
      step.deliver();
    }
    this.#delivering = false;
    if (this.#steps.length === 0) this.onDrain();
  }
}

/** What an `Accept` field asks for (RFC 9110 section 12.5.1), as far as an MCP endpoint can give it. */
export function acceptedBy(accept: string | undefined): Accepted {
  const ranges = (accept ?? '*/*').split(',').map((range) => (range.split(';', 1)[0] ?? '').trim().toLowerCase());
  return {
    json: ranges.some((range) => range === 'application/json' || range === 'application/*' || range === '*/*'),
    events: ranges.includes('text/event-stream'),
  };
}

/** A message holds no line end, so it is one line of data. */
function asEvent(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('event: message\ndata: '), message, Buffer.from('\n\n')]);
}
