import assert from 'node:assert/strict';
import { CallToolResultSchema, CreateTaskResultSchema } from '@modelcontextprotocol/sdk/types.js';
import type { Step } from './transcript.ts';
import type { V1Client } from './v1-client.ts';

const RESEARCH = 'simulate-research-query';

async function startTask({ sdk }: V1Client, topic: string): Promise<string> {
  const params = { name: RESEARCH, arguments: { topic }, task: { ttl: 60_000 } };
  return (await sdk.request({ method: 'tools/call', params }, CreateTaskResultSchema)).task.taskId;
}

/** Tasks of revision 2025-11-25: those of the server, and those of the client that the server asks after. */
export const TASKS: readonly Step<V1Client>[] = [
  {
    name: 'a call as a task, with an elicitation in its result stream',
    async run({ sdk, answers }) {
      // The SDK makes a task of the call because the list says that this tool is one.
      await sdk.listTools();
      answers.elicitation = { action: 'accept', content: { interpretation: 'snake' } };
      const seen: unknown[] = [];
      const stream = sdk.experimental.tasks.callToolStream(
        { name: RESEARCH, arguments: { topic: 'python', ambiguous: true } },
        CallToolResultSchema,
      );
      for await (const message of stream) {
        // How often the client asks after the task is a matter of timing.
        if (message.type === 'taskStatus') continue;
        assert.notEqual(message.type, 'error', JSON.stringify(message));
        seen.push(message.type === 'result' ? message.result : message.type);
      }
      const asked = answers.take();
      assert.equal(asked.length, 1);
      return [seen, asked];
    },
  },
  {
    name: 'tasks/get, tasks/list, tasks/cancel',
    async run(client) {
      const { tasks } = client.sdk.experimental;
      const taskId = await startTask(client, 'to be cancelled');
      const working = await tasks.getTask(taskId);
      const listed = (await tasks.listTasks()).tasks.some((task) => task.taskId === taskId);
      const cancelled = await tasks.cancelTask(taskId);
      return [working.status, listed, cancelled.status, (await tasks.getTask(taskId)).status];
    },
  },
  {
    name: 'tasks/get of an unknown task',
    run: ({ sdk }) => sdk.experimental.tasks.getTask('no-such-task'),
    fails: -32602,
    // The sidecar answers in the server's place, under the same code.
    refused: 'there is no such task',
  },
  {
    name: 'a tool that is only a task, called without one',
    run: ({ request }) => request('tools/call', { name: RESEARCH, arguments: { topic: 'none' } }),
  },
  {
    name: 'sampling as a task of the client',
    async run({ answers, callTool }) {
      const result = await callTool('trigger-sampling-request-async', { prompt: 'Later' });
      assert.match(JSON.stringify(result), /\[COMPLETED\]/);
      return [answers.take(), result];
    },
  },
];
