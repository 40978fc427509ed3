import { type Refusal, rejected } from '../denial.ts';
import { CAPABILITIES_META_KEY, VERSION_META_KEY } from '../mcp/message.ts';

const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';
/** The requests about tasks that the extension has; `tasks/result` and `tasks/list` ended with 2025-11-25. */
const EXTENSION_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel']);
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
/** MCP 2026-07-28: the request needs a capability that its client did not declare. */
const MISSING_CAPABILITY = -32021;

type Params = Readonly<Record<string, unknown>>;

/**
 * What a server says about a task that it does not have: `-32602` (MCP 2025-11-25, Tasks; the extension), unless the request is one that it would
 * not even look into. The same whether or not somebody else has the task.
 */
export function unknownTask(method: string, params: Params | undefined): Refusal {
  const meta = params?.['_meta'];
  if (!isObject(meta) || typeof meta[VERSION_META_KEY] !== 'string') return noSuchTask();
  if (!EXTENSION_METHODS.has(method) && method.startsWith('tasks/')) {
    return rejected('unknown_task', 404, 'this protocol version has no such method', METHOD_NOT_FOUND);
  }
  const extensions = member(meta[CAPABILITIES_META_KEY], 'extensions');
  if (method.startsWith('tasks/') && member(extensions, TASKS_EXTENSION) === undefined) {
    const requiredCapabilities = { extensions: { [TASKS_EXTENSION]: {} } };
    return {
      ...rejected('unknown_task', 400, 'the client did not declare the capability for tasks', MISSING_CAPABILITY),
      data: { requiredCapabilities },
    };
  }
  return noSuchTask();
}

function noSuchTask(): Refusal {
  return rejected('unknown_task', 200, 'there is no such task', INVALID_PARAMS);
}

function member(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined;
}

function isObject(value: unknown): value is Params {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
