import { randomFillSync } from 'node:crypto';
import type { SpanContext } from '@opentelemetry/api';

const SAMPLED = 0x01;
const POOL_BYTES = 4_096;
/** Random bytes are drawn in one go for many ids: a system call an id would cost more than the rest of it. */
const pool = Buffer.alloc(POOL_BYTES);
let digits = '';
let used = 0;

/** Random lower-case hexadecimal digits, two a byte. */
export function randomHex(bytes: number): string {
  if (used + bytes * 2 > digits.length) {
    digits = randomFillSync(pool).toString('hex');
    used = 0;
  }
  used += bytes * 2;
  return digits.slice(used - bytes * 2, used);
}

/** Reads a W3C `traceparent` (Trace Context section 3.2.2); undefined when it is not valid. */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const match = text === undefined ? null : /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text);
  const [, traceId, spanId, flags] = match ?? [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags ?? '00', 16), isRemote: true };
}

export function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & SAMPLED) !== 0;
}
