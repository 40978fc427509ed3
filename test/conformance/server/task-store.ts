import { randomUUID } from 'node:crypto';
import { type InputRequests, ProtocolError } from '@modelcontextprotocol/server';
import type { ToolResult } from './tool.ts';

const INVALID_PARAMS = -32602;
const TTL_MS = 600_000;
const POLL_INTERVAL_MS = 100;

/** How a task ends by itself. */
export type TaskOutcome =
  | { readonly status: 'completed'; readonly result: ToolResult }
  | { readonly status: 'failed'; readonly error: { readonly code: number; readonly message: string } };

export interface TaskPlan {
  readonly durationMs: number;
  readonly outcome: TaskOutcome;
  /** What the client must answer before the task goes on. */
  readonly questions?: InputRequests;
}

interface Task {
  readonly taskId: string;
  readonly createdAtMs: number;
  updatedAtMs: number;
  readonly plan: TaskPlan;
  pending: InputRequests;
  isCancelled: boolean;
}

/** Fields that `CreateTaskResult` and `tasks/get` share (SEP-2663, Task). */
type TaskFields = Record<string, unknown> & { readonly taskId: string; readonly status: string };

/** Tasks of SEP-2663. They do nothing; where one stands follows from the time and from the answers it got. */
export class TaskStore {
  readonly #tasks = new Map<string, Task>();

  create(plan: TaskPlan): TaskFields {
    const now = Date.now();
    const task: Task = {
      taskId: randomUUID(),
      createdAtMs: now,
      updatedAtMs: now,
      plan,
      pending: { ...plan.questions },
      isCancelled: false,
    };
    this.#tasks.set(task.taskId, task);
    return fieldsOf(task);
  }

  /** The detailed task: what it has come to, inlined. */
  get(taskId: string): TaskFields {
    const task = this.#find(taskId);
    const status = statusOf(task);
    const fields = fieldsOf(task);
    if (status === 'input_required') return { ...fields, inputRequests: task.pending };
    if (status === 'completed' || status === 'failed') return { ...fields, ...task.plan.outcome };
    return fields;
  }

  answer(taskId: string, responses: Readonly<Record<string, unknown>>): void {
    const task = this.#find(taskId);
    task.pending = Object.fromEntries(Object.entries(task.pending).filter(([key]) => !(key in responses)));
    task.updatedAtMs = Date.now();
  }

  /** Does nothing to a task that is over. */
  cancel(taskId: string): void {
    const task = this.#find(taskId);
    const status = statusOf(task);
    if (status !== 'working' && status !== 'input_required') return;
    task.isCancelled = true;
    task.updatedAtMs = Date.now();
  }

  #find(taskId: string): Task {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new ProtocolError(INVALID_PARAMS, 'No such task');
    return task;
  }
}

function statusOf({ plan, pending, isCancelled, createdAtMs }: Task): 'cancelled' | 'input_required' | 'working' | TaskOutcome['status'] {
  if (isCancelled) return 'cancelled';
  if (Object.keys(pending).length > 0) return 'input_required';
  return Date.now() < createdAtMs + plan.durationMs ? 'working' : plan.outcome.status;
}

function fieldsOf(task: Task): TaskFields {
  return {
    taskId: task.taskId,
    status: statusOf(task),
    createdAt: new Date(task.createdAtMs).toISOString(),
    lastUpdatedAt: new Date(task.updatedAtMs).toISOString(),
    ttlMs: TTL_MS,
    pollIntervalMs: POLL_INTERVAL_MS,
  };
}
