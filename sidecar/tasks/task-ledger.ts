import { OwnedEntries } from '../owned-entries.ts';
import { ownerText, type SessionOwner } from '../session-seal.ts';

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
  /** The tool of each task. */
  readonly #tasks: OwnedEntries<string>;

  constructor(maxTasks = MAX_TASKS) {
    this.#tasks = new OwnedEntries(maxTasks);
  }

  /**
   * A server that starts its ids again has this task now, and not the one it had.
   * @param ttlMs how long the server keeps the task, in milliseconds; undefined when it does not say
   */
  created(owner: SessionOwner, taskId: string, tool: string, ttlMs: number | undefined, nowMs: number): void {
    if (taskId.length > MAX_NAME_LENGTH || tool.length > MAX_NAME_LENGTH) return;
    const keptMs = ttlMs === undefined ? DEFAULT_KEPT_MS : Math.min(Math.max(ttlMs, MIN_KEPT_MS), MAX_KEPT_MS);
    this.#tasks.set(ownerText(owner), taskId, tool, keptMs, nowMs);
  }

  /** The tool that made this owner's task; undefined when there is no such task. */
  toolOf(owner: SessionOwner, taskId: string, nowMs: number): string | undefined {
    return this.#tasks.get(ownerText(owner), taskId, nowMs);
  }
}
