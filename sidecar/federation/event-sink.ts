import type { ServerResponse } from 'node:http';

const STREAM_HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' };
/** In which changes that are told by several are told once. */
const GATHER_MS = 50;

export interface EventFields {
  readonly id?: string | undefined;
  readonly retry?: string | undefined;
}

/** An event stream to the agent. */
export class EventSink {
  readonly #response: ServerResponse;
  /** Events that are about to be written, each once. */
  readonly #gathered = new Set<string>();

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** Tells the agent at once that there is a stream; its first event may be a long way off. */
  open(): void {
    if (this.#isClosed) return;
    this.#response.writeHead(200, STREAM_HEAD);
    this.#response.flushHeaders();
  }

  /** Whether there is a stream that can be written to. */
  get isOpen(): boolean {
    return this.#response.headersSent && !this.#isClosed;
  }

  get #isClosed(): boolean {
    return this.#response.destroyed || this.#response.writableEnded;
  }

  /** Writes one message. Settles when the agent has taken it, or is gone. */
  message(data: Uint8Array, { id, retry }: EventFields = {}): Promise<void> {
    return this.#write(`${fields({ id, retry })}event: message\ndata: ${onOneLine(data)}\n\n`);
  }

  /** A sign of life; with an id, the place to resume from. */
  pulse(of: EventFields = {}): Promise<void> {
    const text = fields(of);
    return this.#write(text === '' ? ':\n\n' : `${text}data: \n\n`);
  }

  /** Writes a whole event before long, once for all who ask for it until then. */
  soon(event: string): void {
    if (this.#gathered.size === 0)
      setTimeout(() => {
        const events = [...this.#gathered].join('');
        this.#gathered.clear();
        void this.#write(events);
      }, GATHER_MS);
    this.#gathered.add(event);
  }

  end(): void {
    this.#response.end();
  }

  /** Ends the stream in a way that no reader takes for its end. */
  breakOff(): void {
    this.#response.destroy();
  }

  async #write(text: string): Promise<void> {
    if (this.#isClosed || this.#response.write(text)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#response.off('drain', done);
        this.#response.off('close', done);
        resolve();
      };
      this.#response.on('drain', done);
      this.#response.on('close', done);
    });
  }
}

/** Line ends outside of strings mean nothing in JSON, and inside of them they are always escaped. */
function onOneLine(message: Uint8Array): string {
  return Buffer.from(message)
    .toString()
    .replaceAll(/[\r\n]/g, ' ');
}

function fields({ id, retry }: EventFields): string {
  return `${id === undefined ? '' : `id: ${id}\n`}${retry === undefined ? '' : `retry: ${retry}\n`}`;
}
