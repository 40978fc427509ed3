/** A task as the result of the call that made it names it. */
export interface CreatedTask {
  readonly taskId: string;
  /** How long its server keeps it, in milliseconds; undefined when it does not say, or keeps it without end. */
  readonly ttlMs: number | undefined;
}

/**
 * The task that a result announces in place of the tool's own result: `result.task` in 2025-11-25, the result itself with `resultType: "task"`
 * in the extension `io.modelcontextprotocol/tasks` of 2026-07-28. Undefined for every other result.
 */
export function createdTask(result: Readonly<Record<string, unknown>>): CreatedTask | undefined {
  if (result['resultType'] === 'task') return taskOf(result, 'ttlMs');
  const { task } = result;
  return isObject(task) ? taskOf(task, 'ttl') : undefined;
}

function taskOf(task: Readonly<Record<string, unknown>>, ttlKey: string): CreatedTask | undefined {
  const { taskId } = task;
  const ttl = task[ttlKey];
  return typeof taskId === 'string' ? { taskId, ttlMs: typeof ttl === 'number' ? ttl : undefined } : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
