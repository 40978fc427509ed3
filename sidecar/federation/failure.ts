import { DENIED, refusalBody, UPSTREAM_FAILED, upstreamFailed } from '../denial.ts';
import { isObject } from './values-at.ts';

/** Why one of the servers gave no result. */
export interface Failure {
  /** The JSON-RPC error that came in its place, from the server or from the request path; undefined when nothing usable came. */
  readonly error: Readonly<Record<string, unknown>> | undefined;
}

/** JSON-RPC 2.0 section 5.1; with HTTP 404 since MCP 2026-07-28. */
export const METHOD_NOT_FOUND = -32601;

export const NO_ANSWER: Failure = { error: undefined };

/** What a response says went wrong; undefined when it has a result. */
export function failureIn(message: unknown): Failure | undefined {
  if (!isObject(message)) return NO_ANSWER;
  if (isObject(message['result'])) return undefined;
  return { error: isObject(message['error']) ? message['error'] : undefined };
}

/** Whether a server has nothing of what it was asked for, which is no failure. */
export function isAbsent({ error }: Failure): boolean {
  return error?.['code'] === METHOD_NOT_FOUND;
}

/** Whether policy refused, so that the server does not exist for this user. */
export function isDenied({ error }: Failure): boolean {
  return error?.['code'] === DENIED;
}

/** The JSON-RPC answer to a request that one server failed. */
export function failureBody({ error }: Failure, idJson: string | undefined): string {
  if (error === undefined) return refusalBody(upstreamFailed('upstream_unreachable', 'the server gave no answer'), idJson);
  return `{"jsonrpc":"2.0","id":${idJson ?? 'null'},"error":${JSON.stringify(error)}}`;
}

/** The answer when no server gave a result: what all of them say alike that the user may reach; else nothing of any single server. */
export function commonFailure(failures: readonly Failure[]): Failure {
  const reached = failures.filter((failure) => !isDenied(failure));
  const [first] = reached.length > 0 ? reached : failures;
  const code = first?.error?.['code'];
  // What the request path says of a server that failed has its name in it.
  const isCommon = code !== undefined && code !== UPSTREAM_FAILED && reached.every(({ error }) => error?.['code'] === code);
  return isCommon && first !== undefined ? first : NO_ANSWER;
}
