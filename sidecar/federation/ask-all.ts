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

export interface AskOptions {
  readonly reach: Reach;
  /** How long each server may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The response of each server that has one, and why others have none. A server that does not have the method is in neither. */
export interface Asked<T> {
  readonly answers: readonly { readonly of: T; readonly response: Uint8Array }[];
  readonly failures: readonly Failure[];
}

/** Asks several servers at once; one that is slow, or does not answer, holds up nobody. */
export async function askAll<T extends { readonly server: string }>(
  servers: readonly T[],
  bodyFor: (of: T) => Uint8Array,
  { reach, timeoutMs, signal }: AskOptions,
): Promise<Asked<T>> {
  const ask = async (of: T): Promise<Result<Uint8Array, Failure>> => {
    const sent = await reach.send(of.server, { body: bodyFor(of), signal });
    if (!sent.ok) return sent;
    const response = await responseIn(sent.value);
    if (response === undefined) return fail(NO_ANSWER);
    const failure = failureIn(JSON.parse(Buffer.from(response).toString()));
    return failure === undefined ? ok(response) : fail(failure);
  };
  const asked = await forEachOf(servers, async (of) => {
    const answer = (await within(ask(of), timeoutMs).catch(() => undefined)) ?? fail(NO_ANSWER);
    return { of, answer };
  });
  return {
    answers: asked.flatMap(({ of, answer }) => (answer.ok ? [{ of, response: answer.value }] : [])),
    failures: asked.flatMap(({ answer }) => (answer.ok || isAbsent(answer.failure) ? [] : [answer.failure])),
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
  const { answers, failures } = await askAll(pending, ({ cursor }) => withCursor(body, cursor), options);
  const pages = answers.map(({ of, response }) => readPage(of, { method, era, endpoint }, response));
  const usable = pages.filter((page) => page !== undefined);
  const failed = [...failures, ...pages.filter((page) => page === undefined).map(() => NO_ANSWER)];
  if (failed.length === pending.length && failed.length > 0) return fail(failed);
  return ok(
    mergePages(usable, {
      ...request,
      unavailable: failed.filter((failure) => !isDenied(failure)).length,
      cursorOf: (rest) => cursors.encode({ endpoint: endpoint.path, method }, rest),
    }),
  );
}
