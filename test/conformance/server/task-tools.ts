import { setTimeout as sleep } from 'node:timers/promises';
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  fromJsonSchema,
  type InputRequiredResult,
  inputRequired,
  type JsonSchemaType,
  type McpServer,
  MissingRequiredClientCapabilityError,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './content.ts';
import type { TaskOutcome, TaskPlan, TaskStore } from './task-store.ts';
import { NO_INPUT, type ObjectSchema, type ToolResult } from './tool.ts';

/** The extension's name in capabilities (SEP-2663). */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';

const BY_ID = z.object({ taskId: z.string() });
const NAME = z.object({ name: z.string() });
const CONSENT = z.object({ confirm: z.boolean() });

function said(value: string): ToolResult {
  return { content: [text(value)] };
}

function completed(result: ToolResult): TaskOutcome {
  return { status: 'completed', result };
}

function declaresTasks(meta: Readonly<Record<string, unknown>> | undefined): boolean {
  const { extensions } = (meta?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as ClientCapabilities;
  return extensions?.[TASKS_EXTENSION] !== undefined;
}

function missingTasks(): MissingRequiredClientCapabilityError {
  return new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } });
}

function demandTasks({ mcpReq }: ServerContext): void {
  if (!declaresTasks(mcpReq.envelope)) throw missingTasks();
}

/** Tools that cannot answer without a task. */
const TASK_ONLY: ReadonlySet<string> = new Set(['failing_job', 'protocol_error_job', 'confirm_delete', 'multi_input']);

/**
 * Refuses a call of such a tool by a client that does not know tasks (`-32021`), else gives nothing.
 * It stands before the SDK, which turns whatever a tool throws into a result.
 */
export async function refuseWithoutTasks(request: Request): Promise<Response | undefined> {
  if (request.headers.get('mcp-method') !== 'tools/call') return undefined;
  const message = (await request.clone().json()) as { id?: unknown; params?: { name?: string; _meta?: Record<string, unknown> } };
  if (!TASK_ONLY.has(message.params?.name ?? '') || declaresTasks(message.params?._meta)) return undefined;
  const { code, message: reason, data } = missingTasks();
  return Response.json({ jsonrpc: '2.0', id: message.id, error: { code, message: reason, data } }, { status: 400 });
}

/** The extension for long-running calls: its methods, and tools that answer with a task. */
export function serveTasks(server: McpServer, tasks: TaskStore): void {
  server.server.setRequestHandler('tasks/get', { params: BY_ID }, ({ taskId }, context) => {
    demandTasks(context);
    return tasks.get(taskId);
  });
  server.server.setRequestHandler('tasks/update', { params: BY_ID }, ({ taskId }, context) => {
    demandTasks(context);
    tasks.answer(taskId, context.mcpReq.inputResponses ?? {});
    return {};
  });
  server.server.setRequestHandler('tasks/cancel', { params: BY_ID }, ({ taskId }, context) => {
    demandTasks(context);
    tasks.cancel(taskId);
    return {};
  });

  type Call = (input: Record<string, unknown>, context: ServerContext) => ToolResult | InputRequiredResult | Promise<ToolResult>;
  const register = (name: string, description: string, schema: ObjectSchema, call: Call) => {
    const inputSchema = fromJsonSchema<Record<string, unknown>>(schema as JsonSchemaType);
    server.registerTool(name, { description, inputSchema }, async (input, context) => call(input, context));
  };
  // The SDK takes no result without content; the empty list is more than the extension asks for.
  const started = (plan: TaskPlan) => ({ resultType: 'task', content: [], ...tasks.create(plan) });

  const named: ObjectSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
  register('greet', 'Greets at once, never with a task.', named, ({ name }) => said(`Hello, ${name}!`));

  const timed: ObjectSchema = {
    type: 'object',
    properties: { seconds: { type: 'number' }, label: { type: 'string' } },
    required: ['seconds'],
  };
  register('slow_compute', 'Takes its time, as a task where the client knows tasks.', timed, async ({ seconds, label }, context) => {
    const durationMs = Number(seconds) * 1_000;
    const result = said(`${label} is computed`);
    if (declaresTasks(context.mcpReq.envelope)) return started({ durationMs, outcome: completed(result) });
    await sleep(durationMs);
    return result;
  });
  register('failing_job', 'A task whose tool fails.', NO_INPUT, () => {
    return started({ durationMs: 0, outcome: completed({ ...said('It failed.'), isError: true }) });
  });
  register('protocol_error_job', 'A task that ends in a protocol error.', NO_INPUT, () => {
    return started({ durationMs: 0, outcome: { status: 'failed', error: { code: -32603, message: 'It could not be run.' } } });
  });
  const file: ObjectSchema = { type: 'object', properties: { filename: { type: 'string' } }, required: ['filename'] };
  register('confirm_delete', 'A task that asks before it goes on.', file, ({ filename }) => {
    const confirm = inputRequired.elicit({ message: `Delete ${filename}?`, requestedSchema: CONSENT });
    return started({ durationMs: 0, outcome: completed(said(`${filename} would be gone.`)), questions: { confirm } });
  });
  register('multi_input', 'A task that asks two things at once.', NO_INPUT, () => {
    const ask = (message: string) => inputRequired.elicit({ message, requestedSchema: NAME });
    const questions = { first: ask('Who is first?'), second: ask('Who is second?') };
    return started({ durationMs: 0, outcome: completed(said('Both are known.')), questions });
  });
  register('test_tool_with_task', 'Asks for a name, then goes on as a task.', NO_INPUT, (_input, context) => {
    const name = acceptedContent(context.mcpReq.inputResponses, 'user_name', NAME)?.name;
    const user_name = inputRequired.elicit({ message: 'What is your name?', requestedSchema: NAME });
    if (name === undefined) return inputRequired({ inputRequests: { user_name } });
    return started({ durationMs: 0, outcome: completed(said(`Hello, ${name}!`)) });
  });
}
