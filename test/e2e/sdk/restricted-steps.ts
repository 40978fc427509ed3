import assert from 'node:assert/strict';
import { LISTS } from './everything-steps.ts';
import { HIDDEN_OF_EVERYTHING, HIDDEN_OF_MODERN, type Hidden, hiddenLists, judgedForOne } from './hidden.ts';
import { REASONS } from './policies.ts';
import type { SdkClient } from './sdk-client.ts';
import type { Step } from './transcript.ts';
import type { V1Client } from './v1-client.ts';
import type { V2Client } from './v2-client.ts';

/** The lists, without what is hidden in them. */
function filteredLists(hidden: Hidden): Step<SdkClient>[] {
  const rewrites = hiddenLists(hidden);
  return LISTS.map((step) => ({ ...step, governed: (direct) => rewrites.get(step.name)?.(direct) }));
}

/** Hidden is refused: what the lists leave out cannot be used by whoever knows its name. */
export const RESTRICTED_EVERYTHING: readonly Step<SdkClient>[] = [
  ...filteredLists(HIDDEN_OF_EVERYTHING),
  { name: 'a hidden tool', run: (client) => client.callTool('get-sum', { a: 1, b: 2 }), denied: REASONS.tool },
  { name: 'a hidden tool without arguments', run: (client) => client.callTool('get-env'), denied: REASONS.tool },
  {
    name: 'a hidden tool as a task',
    run: (client) => client.request('tools/call', { name: 'simulate-research-query', arguments: { topic: 'x' }, task: { ttl: 1_000 } }),
    denied: REASONS.tool,
  },
  { name: 'a tool that is shown', run: (client) => client.callTool('echo', { message: 'hello' }) },
  {
    name: 'a hidden prompt',
    run: (client) => client.getPrompt('completable-prompt', { department: 'Sales', name: 'Eve' }),
    denied: REASONS.prompt,
  },
  { name: 'a prompt that is shown', run: (client) => client.getPrompt('simple-prompt') },
  {
    name: 'completions of a hidden prompt',
    run: (client) =>
      client.complete({ ref: { type: 'ref/prompt', name: 'completable-prompt' }, argument: { name: 'department', value: '' } }),
    denied: REASONS.prompt,
  },
  { name: 'a hidden document', run: (client) => client.readResource(HIDDEN_OF_EVERYTHING.resource), denied: REASONS.resource },
  { name: 'a document that is shown', run: (client) => client.readResource('demo://resource/static/document/features.md') },
  {
    name: 'a resource of a hidden template',
    run: (client) => client.readResource('demo://resource/dynamic/blob/1'),
    denied: REASONS.resource,
  },
  {
    name: 'completions of a hidden template',
    run: (client) =>
      client.complete({ ref: { type: 'ref/resource', uri: HIDDEN_OF_EVERYTHING.template }, argument: { name: 'resourceId', value: '1' } }),
    denied: REASONS.resource,
  },
  {
    name: 'a subscription to a hidden document',
    run: (client) => client.subscribeResource(HIDDEN_OF_EVERYTHING.resource),
    denied: REASONS.resource,
  },
  {
    name: 'a request of the server that bob may be asked',
    async run({ answers, callTool }) {
      const result = await callTool('trigger-elicitation-request');
      return [answers.take().length, result];
    },
  },
  {
    name: 'a request of the server that bob is not asked',
    async run({ answers, callTool }) {
      const result = await callTool('trigger-sampling-request', { prompt: 'Say something' });
      return [answers.take().length, (result as { isError?: boolean }).isError === true ? result : 'answered'];
    },
    // The server is told in bob's place, and tells it as its tool's failure.
    governed: (direct) => {
      assert.deepEqual(direct, [1, 'answered']);
      return [0, { content: [{ type: 'text', text: `MCP error 4030: ${REASONS.sampling}` }], isError: true }];
    },
  },
  {
    name: 'the tasks of others',
    run: (client) => client.request('tasks/list'),
    governed: (direct) => ({ ...(direct as object), tasks: [] }),
  },
  {
    name: 'a method that no policy names',
    run: (client) => client.request('acme/unknown'),
    fails: -32601,
    denied: 'no policy permits bob to send acme/unknown to everything',
  },
];

/** A server that keeps events replays them as they were sent: a list that was filtered once is filtered again. */
export const RESTRICTED_REPLAY: readonly Step<V1Client | V2Client>[] = [
  {
    name: 'a list that is replayed on the GET stream',
    async run({ wire, transport, listTools }) {
      await listTools();
      const answer = await wire.find(({ sent, text }) => sent?.method === 'tools/list' && text.includes('"tools"'));
      const primingId = /^id: ?(.+)$/m.exec(answer.text)?.[1];
      assert.ok(primingId !== undefined);
      await transport.resumeStream(primingId);
      const replay = await wire.find(({ requestHeaders, text }) => requestHeaders.has('last-event-id') && /"tools":.*\n/.test(text));
      return ['echo', ...HIDDEN_OF_EVERYTHING.tools].filter((name) => replay.text.includes(`"name":"${name}"`));
    },
    governed: (direct) => {
      assert.deepEqual(direct, ['echo', ...HIDDEN_OF_EVERYTHING.tools]);
      return ['echo'];
    },
  },
];

export const RESTRICTED_MODERN: readonly Step<V2Client>[] = [
  ...filteredLists(HIDDEN_OF_MODERN).map((step) => ({
    ...step,
    governed: (direct: unknown) => (step.name === 'tools/list' ? judgedForOne(step.governed?.(direct)) : step.governed?.(direct)),
  })),
  { name: 'a hidden tool', run: (client) => client.callTool('vault'), denied: REASONS.tool },
  {
    name: 'a hidden tool by way of a retry',
    run: (client) =>
      client.request('tools/call', { name: 'vault', arguments: {}, inputResponses: { date: { action: 'accept', content: {} } } }),
    denied: REASONS.tool,
  },
  { name: 'a tool that is shown', run: (client) => client.callTool('echo', { message: 'hello' }) },
  { name: 'a hidden prompt', run: (client) => client.getPrompt('secret-plan', { language: 'de' }), denied: REASONS.prompt },
  {
    name: 'completions of a hidden prompt',
    run: (client) => client.complete({ ref: { type: 'ref/prompt', name: 'secret-plan' }, argument: { name: 'language', value: '' } }),
    denied: REASONS.prompt,
  },
  { name: 'a hidden resource', run: (client) => client.readResource('note://closed/1'), denied: REASONS.resource },
  { name: 'a resource of a hidden template', run: (client) => client.readResource('note://closed/anna'), denied: REASONS.resource },
  {
    name: 'completions of a hidden template',
    run: (client) =>
      client.complete({ ref: { type: 'ref/resource', uri: 'note://closed/{name}' }, argument: { name: 'name', value: 'a' } }),
    denied: REASONS.resource,
  },
  {
    name: 'updates of a hidden resource',
    async run({ sdk, inbox, callTool }) {
      const subscription = await sdk
        .listen({ toolsListChanged: true, resourceSubscriptions: ['note://open/1', 'note://closed/1'] })
        .catch((error: unknown) => error);
      if (subscription instanceof Error) throw subscription;
      await callTool('publish', { uris: ['note://closed/1', 'note://open/1'] });
      await inbox.next('notifications/tools/list_changed');
      return JSON.stringify(inbox.received).includes('note://closed/1');
    },
    denied: REASONS.resource,
  },
  {
    name: 'a result that requires what bob is not asked',
    async run({ answers, callTool }) {
      answers.elicitation = { action: 'accept', content: { date: '2026-12-01' } };
      return callTool('book', { room: 'A' });
    },
    denied: REASONS.sampling,
  },
];
