import { HTTP_METHODS, TASK_LIST } from '../../extauthz/api/operation.ts';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { parseStrictJson } from '../../extauthz/api/strict-json.ts';
import { type Admitted, conversationOf, ownerOf } from '../admitted.ts';
import type { Decided, Decider, Question } from '../authz/decide.ts';
import type { Refusal } from '../denial.ts';
import { createdTask } from '../mcp/created-task.ts';
import { requestKey } from '../open-requests.ts';
import type { Permit } from '../permit.ts';
import type { TaskCalls } from './task-calls.ts';
import type { TaskLedger } from './task-ledger.ts';
import { unknownTask } from './unknown-task.ts';

export interface TasksOptions {
  readonly decider: Decider;
  readonly ledger: TaskLedger;
  readonly calls: TaskCalls;
  readonly monotonicMs: () => number;
}

/** A decision about a message that may name tasks. */
export interface TaskDecided extends Decided {
  /** The tool that made the task which the message is about. */
  readonly tool?: string;
}

type Params = Readonly<Record<string, unknown>>;

/**
 * Tasks: calls that go on after their answer (2025-11-25, and the extension `io.modelcontextprotocol/tasks` of 2026-07-28). A task belongs to the
 * user who made it here, and it is decided by the tool that made it. To everybody else it does not exist: whatever they ask about it is answered
 * as a server answers about a task that it does not have, and never reaches the server.
 */
export class Tasks {
  readonly #options: TasksOptions;

  constructor(options: TasksOptions) {
    this.#options = options;
  }

  /** Takes note of a call that asks to be a task. */
  called(admitted: Admitted, params: Params | undefined): void {
    const { exchange, era } = admitted;
    if (exchange.method !== 'tools/call' || era === 'modern' || params?.['task'] === undefined || exchange.idJson === undefined) return;
    this.#options.calls.called(conversationOf(admitted), exchange.idJson, exchange.target);
  }

  /** Takes note of the task that a result announces, if it does. @param idJson the id of the request that it answers, as the server sent it */
  answered(admitted: Admitted, result: Params, idJson: string | undefined): void {
    const task = createdTask(result);
    if (task === undefined || idJson === undefined) return;
    const tool = this.#calledTool(admitted, idJson);
    if (tool === undefined) return;
    const { ledger, monotonicMs } = this.#options;
    ledger.created(ownerOf(admitted.permit), task.taskId, tool, task.ttlMs, monotonicMs());
  }

  #calledTool(admitted: Admitted, idJson: string): string | undefined {
    const { exchange } = admitted;
    const conversation = conversationOf(admitted);
    const resumed = this.#options.calls.take(conversation, idJson);
    const isAnswer = exchange.idJson !== undefined && requestKey(conversation, idJson) === requestKey(conversation, exchange.idJson);
    return isAnswer && exchange.method === 'tools/call' ? exchange.target : resumed;
  }

  /** Decides a message for which `isAboutTasks` holds. */
  async decide(question: Question): Promise<TaskDecided> {
    return question.method.startsWith(TASK_PREFIX) ? this.#decideRequest(question) : this.#decideListening(question);
  }

  /** For each task, whether it is the user's own, of a tool that may still be called. */
  async visible(permit: Permit, userToken: string, taskIds: readonly string[]): Promise<Result<readonly boolean[], Refusal>> {
    const tools = taskIds.map((taskId) => this.#toolOf(permit, taskId));
    const names = [...new Set(tools.filter((tool) => tool !== undefined))];
    const shown = await this.#options.decider.visible(permit, 'tools/list', names, userToken);
    if (!shown.ok) return shown;
    const callable = new Set(names.filter((_name, index) => shown.value[index] === true));
    return ok(tools.map((tool) => tool !== undefined && callable.has(tool)));
  }

  /** A request about tasks in general, and then about the one that is named. Only the first answer tells who asks, so that it comes first. */
  async #decideRequest(question: Question): Promise<TaskDecided> {
    const general = await this.#ask(question, undefined);
    if (!general.outcome.ok || question.method === TASK_LIST) return general;
    const params = paramsOf(question);
    const taskId = params?.['taskId'];
    const tool = typeof taskId === 'string' ? this.#toolOf(general.outcome.value, taskId) : undefined;
    return tool === undefined
      ? { ...general, outcome: fail(unknownTask(question.method, params)) }
      : { ...(await this.#ask(question, tool)), tool };
  }

  /** `subscriptions/listen` may name tasks to hear of. */
  async #decideListening(question: Question): Promise<Decided> {
    const decided = await this.#options.decider.decide(question);
    if (!decided.outcome.ok) return decided;
    const params = paramsOf(question);
    const notifications = params?.['notifications'];
    const taskIds: unknown = isObject(notifications) ? notifications['taskIds'] : undefined;
    if (taskIds === undefined) return decided;
    if (!Array.isArray(taskIds) || !taskIds.every((taskId) => typeof taskId === 'string'))
      return { ...decided, outcome: fail(unknownTask(question.method, params)) };
    const own = await this.visible(decided.outcome.value, question.userToken, taskIds);
    if (!own.ok) return { ...decided, outcome: own };
    return own.value.every(Boolean) ? decided : { ...decided, outcome: fail(unknownTask(question.method, params)) };
  }

  #ask({ route, method, userToken }: Question, tool: string | undefined): Promise<Decided> {
    const { decider } = this.#options;
    const target = tool === undefined ? method : `${method} ${tool}`;
    const params = Buffer.from(JSON.stringify({ method, tool }));
    const question = { route, method: HTTP_METHODS.task, target, params, userToken };
    const known = decider.decideFromCache(question);
    return known === undefined ? decider.decide(question) : Promise.resolve(known);
  }

  #toolOf(permit: Permit, taskId: string): string | undefined {
    const { ledger, monotonicMs } = this.#options;
    return ledger.toolOf(ownerOf(permit), taskId, monotonicMs());
  }
}

const TASK_PREFIX = 'tasks/';

/** Whether a message may name tasks, so that `Tasks` has to decide it. */
export function isAboutTasks(method: string): boolean {
  return method.startsWith(TASK_PREFIX) || method === 'subscriptions/listen';
}

/** @throws {Error} when they cannot be read, which was made sure of before the question was put */
function paramsOf({ params }: Question): Params | undefined {
  if (params.length === 0) return undefined;
  const parsed = parseStrictJson(params);
  if (!parsed.ok || !isObject(parsed.value.value)) throw new Error('the parameters can be read no more');
  return parsed.value.value;
}

function isObject(value: unknown): value is Params {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
