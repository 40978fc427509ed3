import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Era } from '../mcp/protocol-version.ts';
import { responseIn } from './answer-parts.ts';
import { forEachOf, within } from './concurrency.ts';
import { type Failure, failureIn, isAbsent, isDenied, NO_ANSWER } from './failure.ts';
import { withCursor } from './for-server.ts';
import type { ListCursors, PendingServer } from './list-cursor.ts';
import { mergePages, readPage } from './merged-list.ts';
import type { Reach } from './reach.ts';
import { readMessage } from './values-at.ts';

export interface AskOptions {
  readonly reach: Reach;
  /** How long each server may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** When so much has been answered that no more servers are asked, in bytes. */
  readonly enoughBytes?: number;
}

/** The response of each server that has one, why others have none, and which were not asked. A server that does not have the method is in none of them. */
export interface Asked<T> {
  readonly answers: readonly { readonly of: T; readonly response: Uint8Array }[];
  readonly failures: readonly Failure[];
  readonly unasked: readonly T[];
}

/** Asks several servers at once; one that is slow, or does not answer, holds up nobody. */
export async function askAll<T extends { readonly server: string }>(
  servers: readonly T[],
  bodyFor: (of: T) => Uint8Array,
  { reach, timeoutMs, signal, enoughBytes = Number.POSITIVE_INFINITY }: AskOptions,
): Promise<Asked<T>> {
  let answeredBytes = 0;
  const ask = async (of: T, until: AbortSignal): Promise<Result<Uint8Array, Failure>> => {
    const sent = await reach.send(of.server, { body: bodyFor(of), signal: until });
    if (!sent.ok) return sent;
    const response = await responseIn(sent.value);
    if (response === undefined) return fail(NO_ANSWER);
    answeredBytes += response.length;
    const failure = failureIn(readMessage(response));
    return failure === undefined ? ok(response) : fail(failure);
  };
  const asked = await forEachOf(servers, async (of) => {
    if (answeredBytes > enoughBytes) return { of, answer: undefined };
    const tooLate = new AbortController();
    const answer = await within(ask(of, AbortSignal.any([signal, tooLate.signal])), timeoutMs).catch(() => undefined);
    if (answer === undefined) tooLate.abort();
    return { of, answer: answer ?? fail(NO_ANSWER) };
  });
  return {
    answers: asked.flatMap(({ of, answer }) => (answer?.ok === true ? [{ of, response: answer.value }] : [])),
    failures: asked.flatMap(({ answer }) => (answer === undefined || answer.ok || isAbsent(answer.failure) ? [] : [answer.failure])),
    unasked: asked.filter(({ answer }) => answer === undefined).map(({ of }) => of),
  };
}

export interface ListRequest {
  readonly method: string;
  readonly era: Era;
  readonly endpoint: Endpoint;
  readonly body: Uint8Array;
  readonly idJson: string;
  readonly cursors: ListCursors;
  readonly maxBytes: number;
}

/** One page of the list of all these servers. Fails with every server's failure when none of them answered. */
export async function listPage(
  request: ListRequest,
  pending: readonly PendingServer[],
  options: AskOptions,
): Promise<Result<Buffer, readonly Failure[]>> {
  const { method, era, endpoint, body, cursors } = request;
  const bodyFor = ({ cursor }: PendingServer) => withCursor(body, cursor);
  const { answers, failures, unasked } = await askAll(pending, bodyFor, { ...options, enoughBytes: request.maxBytes });
  const pages = answers.map(({ of, response }) => readPage(of, { method, era, endpoint }, response));
  const usable = pages.filter((page) => page !== undefined);
  const failed = [...failures, ...pages.filter((page) => page === undefined).map(() => NO_ANSWER)];
  if (failed.length === pending.length && failed.length > 0) return fail(failed);
  return ok(
    mergePages(usable, {
      ...request,
      unasked,
      unavailable: failed.filter((failure) => !isDenied(failure)).length,
      cursorOf: (rest) => cursors.encode({ endpoint: endpoint.path, method }, rest),
    }),
  );
}
