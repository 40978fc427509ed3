import type { SessionOwner } from './session-seal.ts';

interface Task {
  readonly tool: string;
  /** How long it is remembered after its last use, in milliseconds. */
  readonly keptMs: number;
  usedAtMs: number;
}

const MAX_TASKS = 10_000;
/** Ids are the servers' and tool names the agents' to choose; longer ones are none, and would fill the memory. */
const MAX_NAME_LENGTH = 1_024;
const HOUR_MS = 3_600_000;
/** A server may keep a task for longer than it said, and clocks differ. */
const MIN_KEPT_MS = HOUR_MS;
const MAX_KEPT_MS = 7 * 24 * HOUR_MS;
/** For a server that does not say for how long it keeps a task. */
const DEFAULT_KEPT_MS = 24 * HOUR_MS;

/**
 * Which user made which task at which server, and with which tool. It is the memory of one pod: a task that is not in here, or not any more,
 * is unknown to its owner as to everybody else. Task ids are only ever looked up together with their owner, so that two servers, or two users
 * of one, may use the same.
 */
export class TaskLedger {
  readonly #maxTasks: number;
  /** By owner; the tasks of each by id, the least recently used first. */
  readonly #owners = new Map<string, Map<string, Task>>();
  #size = 0;

  constructor(maxTasks = MAX_TASKS) {
    this.#maxTasks = maxTasks;
  }

  /** @param ttlMs how long the server keeps the task, in milliseconds; undefined when it does not say */
  created(owner: SessionOwner, taskId: string, tool: string, ttlMs: number | undefined, nowMs: number): void {
    if (taskId.length > MAX_NAME_LENGTH || tool.length > MAX_NAME_LENGTH) return;
    const key = keyOf(owner);
    // A server that starts its ids again has this task now, and not the one it had.
    this.#forget(key, taskId);
    if (this.#size >= this.#maxTasks) this.#makeRoom(nowMs);
    const tasks = this.#owners.get(key) ?? new Map<string, Task>();
    const keptMs = ttlMs === undefined ? DEFAULT_KEPT_MS : Math.min(Math.max(ttlMs, MIN_KEPT_MS), MAX_KEPT_MS);
    tasks.set(taskId, { tool, keptMs, usedAtMs: nowMs });
    this.#owners.set(key, tasks);
    this.#size += 1;
  }

  /** The tool that made this owner's task; undefined when there is no such task. */
  toolOf(owner: SessionOwner, taskId: string, nowMs: number): string | undefined {
    const key = keyOf(owner);
    const tasks = this.#owners.get(key);
    const task = tasks?.get(taskId);
    if (tasks === undefined || task === undefined) return undefined;
    if (isOver(task, nowMs)) {
      this.#forget(key, taskId);
      return undefined;
    }
    task.usedAtMs = nowMs;
    tasks.delete(taskId);
    tasks.set(taskId, task);
    return task.tool;
  }

  #forget(key: string, taskId: string): void {
    const tasks = this.#owners.get(key);
    if (tasks?.delete(taskId) !== true) return;
    this.#size -= 1;
    if (tasks.size === 0) this.#owners.delete(key);
  }

  /** Forgets what is over, else the oldest task of whoever has most, so that nobody can push out what others have. */
  #makeRoom(nowMs: number): void {
    for (const [key, tasks] of this.#owners) {
      for (const [taskId, task] of tasks) if (isOver(task, nowMs)) this.#forget(key, taskId);
    }
    while (this.#size >= this.#maxTasks) {
      const [key, tasks] = [...this.#owners].reduce((most, other) => (other[1].size > most[1].size ? other : most));
      const [oldest] = tasks.keys();
      if (oldest !== undefined) this.#forget(key, oldest);
    }
  }
}

function isOver({ usedAtMs, keptMs }: Task, nowMs: number): boolean {
  return nowMs - usedAtMs > keptMs;
}

/** As JSON, so that no two owners read alike. */
function keyOf({ userId, server }: SessionOwner): string {
  return JSON.stringify([server, userId]);
}
