import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { judgedForOne } from './hidden.ts';
import { comparable, outcomeOf } from './outcome.ts';
import type { Step } from './transcript.ts';
import type { V2Client } from './v2-client.ts';

const LOG_LEVEL_META_KEY = 'io.modelcontextprotocol/logLevel';

/** The JSON-RPC answers to one method as they came over the wire, without what any two connections differ in. */
function wireAnswers({ wire }: V2Client, method: string): unknown[] {
  return wire.exchanges
    .filter(({ sent }) => sent?.method === method)
    .flatMap(({ headers, text }) => {
      const isStream = headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      return isStream ? text.split('\n').flatMap((line) => (line.startsWith('data: {') ? [line.slice(6)] : [])) : [text];
    })
    .map((message) => comparable(JSON.parse(message)));
}

async function bookingWith(client: V2Client, action: 'accept' | 'decline'): Promise<unknown> {
  client.answers.elicitation = action === 'accept' ? { action, content: { date: '2026-12-01' } } : { action };
  const from = client.wire.exchanges.length;
  const result = await client.callTool('book', { room: 'A' });
  const calls = client.wire.exchanges.slice(from);
  // Every round is a request of its own, with a new id.
  assert.equal(new Set(calls.map(({ sent }) => sent?.id)).size, action === 'accept' ? 3 : 2);
  return [client.answers.take(), result];
}

const LISTS: readonly Step<V2Client>[] = [
  { name: 'server/discover', run: async (client) => client.handshake() },
  {
    name: 'tools/list, as every client sees it and as it came',
    run: async (client) => [await client.listTools(), wireAnswers(client, 'tools/list')],
    governed: judgedForOne,
  },
  { name: 'prompts/list', run: async (client) => [await client.listPrompts(), wireAnswers(client, 'prompts/list')] },
  { name: 'resources/list', run: async (client) => [await client.listResources(), wireAnswers(client, 'resources/list')] },
  {
    name: 'resources/templates/list',
    run: async (client) => [await client.listResourceTemplates(), wireAnswers(client, 'resources/templates/list')],
  },
];

const CALLS: readonly Step<V2Client>[] = [
  { name: 'tools/call', run: (client) => client.callTool('echo', { message: 'with "quotes", ünïcödé, 𝕊 and \n a line' }) },
  { name: 'tools/call with structured output', run: (client) => client.callTool('weather', { city: 'Bern' }) },
  { name: 'tools/call that fails', run: (client) => client.callTool('fail') },
  { name: 'tools/call with the wrong arguments', run: (client) => client.callTool('echo', { message: 1 }) },
  { name: 'tools/call of an unknown tool', run: (client) => client.callTool('no-such-tool'), fails: -32602 },
  { name: 'Mcp-Param-* fields', run: (client) => client.callTool('route', { region: 'eu-west', shard: 42, urgent: true, note: 'plain' }) },
  {
    name: 'Mcp-Param-* fields with text that a field cannot hold',
    run: (client) => client.callTool('route', { region: ' Zürich =?base64?' }),
  },
  { name: 'prompts/get', run: (client) => client.getPrompt('greet', { language: 'de' }) },
  { name: 'prompts/get without its argument', run: (client) => client.getPrompt('greet', {}), fails: -32602 },
  { name: 'resources/read', run: async (client) => [await client.readResource('note://open/1'), wireAnswers(client, 'resources/read')] },
  { name: 'resources/read of a template', run: (client) => client.readResource('note://shared/anna') },
  { name: 'resources/read of an unknown resource', run: (client) => client.readResource('note://no-such'), fails: -32602 },
  {
    name: 'completion/complete of a prompt argument',
    run: (client) => client.complete({ ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'language', value: 'e' } }),
  },
  {
    name: 'completion/complete of a resource template',
    run: (client) =>
      client.complete({ ref: { type: 'ref/resource', uri: 'note://shared/{name}' }, argument: { name: 'name', value: 'ann' } }),
  },
];

const ROUND_TRIPS: readonly Step<V2Client>[] = [
  {
    name: 'input_required: elicitation, then sampling and roots with a requestState',
    run: async (client) => {
      const outcome = await bookingWith(client, 'accept');
      assert.match(JSON.stringify(outcome), /2026-12-01/);
      return outcome;
    },
  },
  { name: 'input_required: declined', run: (client) => bookingWith(client, 'decline') },
  {
    name: 'input_required by a prompt',
    async run({ answers, getPrompt }) {
      answers.elicitation = { action: 'accept', content: { date: '2026-12-02' } };
      return [await getPrompt('ask-date'), answers.take()];
    },
  },
  {
    name: 'input_required with a requestState that the server did not make',
    run: ({ request }) => request('tools/call', { name: 'book', arguments: { room: 'A' }, requestState: 'forged', inputResponses: {} }),
    fails: -32602,
  },
];

const STREAMS: readonly Step<V2Client>[] = [
  {
    name: 'log messages that the request asked for',
    async run({ inbox, request }) {
      const result = await request('tools/call', { name: 'log', arguments: {}, _meta: { [LOG_LEVEL_META_KEY]: 'info' } });
      return [result, await inbox.next('notifications/message')];
    },
  },
  {
    name: 'progress, and cancellation by closing the stream',
    async run({ callTool }) {
      const key = randomUUID();
      const abort = new AbortController();
      const progress = Promise.withResolvers<unknown>();
      const call = outcomeOf(() => callTool('wait', { key }, { signal: abort.signal, onProgress: progress.resolve }));
      const step = await progress.promise;
      abort.abort('changed my mind');
      return [step, await call, await callTool('was-cancelled', { key })];
    },
  },
  {
    name: 'subscriptions/listen',
    async run({ sdk, inbox, callTool }) {
      const subscription = await sdk.listen({ toolsListChanged: true, resourceSubscriptions: ['note://open/1'] });
      await callTool('publish', { uris: ['note://closed/1', 'note://open/1'] });
      const updated = await inbox.next('notifications/resources/updated');
      // Prompts were published in between, and were not asked for.
      const changed = await inbox.next('notifications/tools/list_changed');
      assert.ok(!inbox.received.some(({ method }) => method === 'notifications/prompts/list_changed'));
      await subscription.close();
      return [subscription.honoredFilter, updated, changed, await subscription.closed];
    },
  },
  {
    name: 'subscriptions/listen outlives the times without events',
    async run({ sdk, wire, inbox, callTool }) {
      const from = wire.exchanges.length;
      const subscription = await sdk.listen({ promptsListChanged: true });
      const stream = await wire.find(
        ({ sent, text }) => sent?.method === 'subscriptions/listen' && (text.match(/^:/gm)?.length ?? 0) >= 2,
        from,
      );
      await callTool('publish', { uris: [] });
      const changed = await inbox.next('notifications/prompts/list_changed');
      await subscription.close();
      return [changed, stream.headers.get('content-type')];
    },
  },
];

/** What a server of its own makes of mistakes, which a client must be able to tell from its dual-era fallback. */
const ERRORS: readonly Step<V2Client>[] = [
  { name: 'a method that nobody knows', run: ({ request }) => request('acme/unknown', { a: 1 }), fails: 404 },
  {
    name: 'a revision that the server does not have',
    run: ({ request }) =>
      request('tools/call', { name: 'echo', arguments: {}, _meta: { 'io.modelcontextprotocol/protocolVersion': '2099-01-01' } }),
    fails: -32022,
  },
];

/** The whole surface of the modern test server, in revision 2026-07-28. */
export const MODERN_SURFACE: readonly Step<V2Client>[] = [...LISTS, ...CALLS, ...ROUND_TRIPS, ...STREAMS, ...ERRORS];
