import { type Metadata, status } from '@grpc/grpc-js';
import type { Logger } from '../../runtime/logger.ts';
import { fail, type Result } from '../api/result.ts';
import { bearerToken } from '../identity/bearer.ts';
import { publicReason, type TokenFailure } from '../identity/token-failure.ts';
import { CLOCK_TOLERANCE_S } from '../identity/verify-token.ts';
import type { VerifiedWorkload, WorkloadVerifier } from '../identity/workload.ts';
import { endStream, type OpenStreams, type StreamCall, type StreamEnd } from './stream-end.ts';

export interface VerifiedStreamOptions {
  readonly workloads: WorkloadVerifier;
  readonly streams: OpenStreams;
  readonly now: () => number;
  readonly logger: Logger;
}

/** The longest delay that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Verifies the workload token that a gRPC call carries in its `authorization` metadata. */
export async function verifyCaller(
  metadata: Metadata,
  workloads: WorkloadVerifier,
  nowMs: number,
): Promise<Result<VerifiedWorkload, TokenFailure>> {
  const values = metadata.get('authorization');
  if (values.length > 1) return fail({ kind: 'malformed', detail: 'several authorization values' });
  const token = bearerToken(values[0]?.toString());
  return token.ok ? workloads.verify(token.value, nowMs) : token;
}

/**
 * Serves a long-lived stream to a verified workload, for as long as its token lasts.
 * @param serve starts the work and gives back how to end it; the call is not read before.
 */
export async function serveVerified(
  call: StreamCall,
  { workloads, streams, now, logger }: VerifiedStreamOptions,
  serve: (caller: VerifiedWorkload) => (end: StreamEnd) => void,
): Promise<void> {
  try {
    const caller = await verifyCaller(call.metadata, workloads, now());
    if (call.cancelled) return;
    if (!caller.ok) {
      logger.warn({ kind: caller.failure.kind, detail: caller.failure.detail, peer: call.getPeer() }, 'workload token refused');
      const code = caller.failure.kind === 'keys_unavailable' ? status.UNAVAILABLE : status.UNAUTHENTICATED;
      return endStream(call, { code, details: publicReason(caller.failure, 'workload') });
    }
    const end = serve(caller.value);
    // Taken out of the books when it is told to end, too: a stream that we end need not close on its own.
    const endOnce = (reason: StreamEnd) => {
      forget();
      end(reason);
    };
    const remove = streams.add(endOnce);
    const remainingMs = caller.value.expiresAtMs + CLOCK_TOLERANCE_S * 1_000 - now();
    const expiry = setTimeout(
      () => endOnce({ code: status.UNAUTHENTICATED, details: 'the workload token has expired' }),
      Math.min(Math.max(remainingMs, 0), MAX_TIMER_MS),
    );
    const forget = () => {
      clearTimeout(expiry);
      remove();
    };
    call.once('close', forget);
  } catch (error) {
    logger.error({ err: error }, 'a fault while opening a stream');
    endStream(call, { code: status.UNAVAILABLE, details: 'the workload token cannot be verified at the moment' });
  }
}
