import type { EventEmitter } from 'node:events';
import { type Metadata, status } from '@grpc/grpc-js';

/** What the server streams of gRPC have in common. */
export interface StreamCall extends EventEmitter {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getPeer(): string;
  end(): unknown;
}

/** How a stream ends. `OK` tells the client that nothing is wrong; anything else makes it connect again. */
export interface StreamEnd {
  readonly code: status.OK | status.UNAUTHENTICATED | status.UNAVAILABLE;
  readonly details: string;
}

/** Ends a stream with a status, after what was written to it. */
export function endStream(call: StreamCall, { code, details }: StreamEnd): void {
  if (code === status.OK) call.end();
  else call.emit('error', { code, details });
}

/** The streams that are open, so that a stopping service can end them: they would never end by themselves. */
export class OpenStreams {
  readonly #ends = new Set<(end: StreamEnd) => void>();

  get size(): number {
    return this.#ends.size;
  }

  /** @returns how to take the stream out again. */
  add(end: (end: StreamEnd) => void): () => void {
    this.#ends.add(end);
    return () => this.#ends.delete(end);
  }

  endAll(reason: StreamEnd): void {
    for (const end of [...this.#ends]) end(reason);
  }
}
