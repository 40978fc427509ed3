import { findMember, ROOT } from '../../extauthz/api/json-members.ts';
import { utf8Text } from '../../extauthz/api/json-structure.ts';
import { ProtocolKeys } from '../../extauthz/api/protocol-keys.ts';
import type { ListRead } from './list-filter.ts';

/** What a server's message wants of the client, beyond the lists that it may carry. */
export type ServerMessage =
  /** `idJson` is the id exactly as it was sent. */
  | { readonly kind: 'request'; readonly method: string; readonly idJson: string }
  | {
      readonly kind: 'notification';
      readonly method: string;
      readonly params: Params;
      /** Methods of the requests that a task makes in its notification. */
      readonly asks: readonly string[];
    }
  | {
      readonly kind: 'response';
      readonly isError: boolean;
      readonly idJson: string | undefined;
      /** Methods of the requests in an `input_required` result or in a task (2026-07-28); undefined when they cannot be told. */
      readonly asks: readonly string[] | undefined;
      /** The task that the result belongs to (2025-11-25, `io.modelcontextprotocol/related-task`). */
      readonly relatedTaskId: string | undefined;
    };

type Params = Readonly<Record<string, unknown>>;

/** Keys that govern; some clients take them in any case. */
const RESULT_KEYS = new ProtocolKeys(['inputRequests', 'resultType', 'requestState']);
const PARAMS_KEYS = new ProtocolKeys(['uri']);
const ASK_KEYS = new ProtocolKeys(['method']);
/** What a task holds beside its own state: what it asks for, and the end of its call. */
const TASK_KEYS = new ProtocolKeys(['taskId', 'inputRequests', 'result', 'error']);
const TASK_NOTIFICATION = 'notifications/tasks';
const RELATED_TASK = 'io.modelcontextprotocol/related-task';
const MAX_METHOD_LENGTH = 256;
const URL_ELICITATION_REQUIRED = -32042;

/** Sorts out a message that `readList` has read. Undefined when it is a call whose parts do not fit together. */
export function serverMessage({ envelope, text, result }: ListRead): ServerMessage | undefined {
  const id = findMember(text, ROOT, 'id');
  const idJson = id === undefined ? undefined : utf8Text(text.bytes.subarray(id.value.start, id.value.end));
  if (!('method' in envelope)) {
    const inResult = RESULT_KEYS.variantIn(result) === undefined ? asksOf(result['inputRequests']) : undefined;
    const inTask = 'taskId' in result ? asksOfTask(result) : [];
    const asks = inResult === undefined || inTask === undefined ? undefined : [...inResult, ...inTask, ...asksOfError(envelope['error'])];
    return { kind: 'response', isError: 'error' in envelope, idJson, asks, relatedTaskId: relatedTaskOf(result) };
  }
  const { method, params } = envelope;
  if (typeof method !== 'string' || method.length > MAX_METHOD_LENGTH) return undefined;
  if (idJson !== undefined) return { kind: 'request', method, idJson };
  if (!isObject(params)) return { kind: 'notification', method, params: {}, asks: [] };
  if (PARAMS_KEYS.variantIn(params) !== undefined) return undefined;
  const asks = isTaskNotification(method) ? asksOfTask(params) : [];
  return asks === undefined ? undefined : { kind: 'notification', method, params, asks };
}

/** `notifications/tasks` (2026-07-28) and `notifications/tasks/status` (2025-11-25): what a task has come to, with its id as `taskId`. */
export function isTaskNotification(method: string): boolean {
  return method === TASK_NOTIFICATION || method.startsWith(`${TASK_NOTIFICATION}/`);
}

/** A task carries what its call would have answered, so that it may ask for the same. Undefined when that cannot be told. */
function asksOfTask(task: Params): readonly string[] | undefined {
  const { result, error, inputRequests } = task;
  const ended = isObject(result) ? result : {};
  if (TASK_KEYS.variantIn(task) !== undefined || RESULT_KEYS.variantIn(ended) !== undefined) return undefined;
  const [now, then] = [asksOf(inputRequests), asksOf(ended['inputRequests'])];
  return now === undefined || then === undefined ? undefined : [...now, ...then, ...asksOfError(error)];
}

function relatedTaskOf({ _meta }: Params): string | undefined {
  const related = isObject(_meta) ? _meta[RELATED_TASK] : undefined;
  const taskId = isObject(related) ? related['taskId'] : undefined;
  return typeof taskId === 'string' ? taskId : undefined;
}

/** Revision 2025-11-25 has an error that makes clients open a page of the server's choice: elicitation by another name. */
function asksOfError(error: unknown): readonly string[] {
  return isObject(error) && error['code'] === URL_ELICITATION_REQUIRED ? ['elicitation/create'] : [];
}

function asksOf(inputRequests: unknown): readonly string[] | undefined {
  if (inputRequests === undefined) return [];
  if (!isObject(inputRequests)) return undefined;
  const methods = Object.values(inputRequests).map((request) =>
    isObject(request) && ASK_KEYS.variantIn(request) === undefined ? request['method'] : undefined,
  );
  return methods.every((method) => typeof method === 'string' && method.length <= MAX_METHOD_LENGTH) ? (methods as string[]) : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
