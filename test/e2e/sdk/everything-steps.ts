import assert from 'node:assert/strict';
import { comparable } from './outcome.ts';
import type { SdkClient } from './sdk-client.ts';
import type { Step } from './transcript.ts';

const DOCUMENT = 'demo://resource/static/document/architecture.md';
const TEXT_RESOURCE = 'demo://resource/dynamic/text/1';
const BLOB_RESOURCE = 'demo://resource/dynamic/blob/2';

/** Tools of the reference server that need nothing but arguments. */
const CALLS: readonly (readonly [tool: string, args: Record<string, unknown>])[] = [
  ['echo', { message: 'with "quotes", ünïcödé, 𝕊 and \n a line' }],
  ['get-annotated-message', { messageType: 'success', includeImage: true }],
  ['get-annotated-message', { messageType: 'error' }],
  ['get-env', {}],
  ['get-resource-links', { count: 4 }],
  ['get-resource-reference', { resourceType: 'Text', resourceId: 1 }],
  ['get-resource-reference', { resourceType: 'Blob', resourceId: 2 }],
  ['get-structured-content', { location: 'Chicago' }],
  ['get-sum', { a: 0.1, b: 41.9 }],
  ['get-tiny-image', {}],
  ['gzip-file-as-resource', { name: 'whole.gz', data: 'data:text/plain,whole', outputType: 'resource' }],
  // Mistakes that the server answers with a result of its own.
  ['get-sum', { a: 'one', b: 2 }],
  ['get-resource-reference', { resourceType: 'Text', resourceId: 1.5 }],
  ['no-such-tool', {}],
];

const PROMPTS: readonly (readonly [prompt: string, args?: Record<string, string>])[] = [
  ['simple-prompt'],
  ['args-prompt', { city: 'Zürich', state: 'ZH' }],
  ['completable-prompt', { department: 'Sales', name: 'Eve' }],
  ['resource-prompt', { resourceType: 'Text', resourceId: '3' }],
];

export const LISTS: readonly Step<SdkClient>[] = [
  { name: 'tools/list', run: (client) => client.listTools() },
  { name: 'prompts/list', run: (client) => client.listPrompts() },
  { name: 'resources/list', run: (client) => client.listResources() },
  { name: 'resources/templates/list', run: (client) => client.listResourceTemplates() },
];

const READS: readonly Step<SdkClient>[] = [
  ...CALLS.map(([tool, args], index) => ({
    name: `tools/call ${tool} (${index + 1})`,
    run: (client: SdkClient) => client.callTool(tool, args),
  })),
  ...PROMPTS.map(([prompt, args]) => ({ name: `prompts/get ${prompt}`, run: (client: SdkClient) => client.getPrompt(prompt, args) })),
  { name: 'prompts/get without a required argument', run: (client) => client.getPrompt('args-prompt', {}), fails: -32602 },
  { name: 'prompts/get of an unknown prompt', run: (client) => client.getPrompt('no-such-prompt'), fails: -32602 },
  { name: 'resources/read of a document', run: (client) => client.readResource(DOCUMENT) },
  { name: 'resources/read of a text template', run: (client) => client.readResource(TEXT_RESOURCE) },
  { name: 'resources/read of a blob template', run: (client) => client.readResource(BLOB_RESOURCE) },
  { name: 'resources/read of an unknown resource', run: (client) => client.readResource('demo://no/such'), fails: -32602 },
  {
    name: 'completion/complete of a prompt argument',
    run: (client) =>
      client.complete({ ref: { type: 'ref/prompt', name: 'completable-prompt' }, argument: { name: 'department', value: 'S' } }),
  },
  {
    name: 'completion/complete with context',
    run: (client) =>
      client.complete({
        ref: { type: 'ref/prompt', name: 'completable-prompt' },
        argument: { name: 'name', value: '' },
        context: { arguments: { department: 'Engineering' } },
      }),
  },
  {
    name: 'completion/complete of a resource template',
    run: (client) =>
      client.complete({
        ref: { type: 'ref/resource', uri: 'demo://resource/dynamic/text/{resourceId}' },
        argument: { name: 'resourceId', value: '12' },
      }),
  },
];

/** Notifications: they arrive on the GET stream, which the first of these steps waits for. */
const STREAM: readonly Step<SdkClient>[] = [
  {
    name: 'roots: the server asks for them, and again when they change',
    async run({ wire, inbox, answers, sendRootsListChanged, callTool }) {
      await wire.openStream();
      // The server asks once by itself; should it have asked before the stream was open, this makes it ask again.
      await sendRootsListChanged();
      await inbox.next('notifications/message', 'Roots updated: 1');
      answers.roots = [...answers.roots, { uri: 'file:///projects/two', name: 'two' }];
      await sendRootsListChanged();
      const told = await inbox.next('notifications/message', 'Roots updated: 2');
      // The server keeps the answer that reaches it last, and an earlier one may still be on its way.
      let listed = await callTool('get-roots-list');
      for (let tries = 0; tries < 20 && !JSON.stringify(listed).includes('2 total'); tries += 1) {
        await sendRootsListChanged();
        await inbox.next('notifications/message', 'Roots updated: 2');
        listed = await callTool('get-roots-list');
      }
      return [told, listed];
    },
  },
  {
    name: 'logging/setLevel decides which messages come',
    async run({ inbox, setLoggingLevel, subscribeResource, unsubscribeResource }) {
      const log = 'notifications/message';
      const levels = [await setLoggingLevel('error')];
      await subscribeResource(`${DOCUMENT}?unheard`);
      levels.push(await setLoggingLevel('debug'));
      await subscribeResource(DOCUMENT);
      const heard = await inbox.next(log, 'Received Subscribe');
      assert.ok(!JSON.stringify(inbox.received).includes('unheard'), 'the level was error then');
      await unsubscribeResource(DOCUMENT);
      return [levels, heard, await inbox.next(log, 'Received Unsubscribe')];
    },
  },
  {
    name: 'simulated logging',
    async run({ inbox, callTool }) {
      const started = await callTool('toggle-simulated-logging');
      const { method } = await inbox.next('notifications/message', ' - SessionId ');
      return [started, method, await callTool('toggle-simulated-logging')];
    },
  },
  {
    name: 'resources/subscribe, update notification, resources/unsubscribe',
    async run({ inbox, callTool, subscribeResource, unsubscribeResource }) {
      const subscribed = await subscribeResource(TEXT_RESOURCE);
      const started = await callTool('toggle-subscriber-updates');
      const updated = await inbox.next('notifications/resources/updated', TEXT_RESOURCE);
      const stopped = await callTool('toggle-subscriber-updates');
      return [subscribed, started, updated, stopped, await unsubscribeResource(TEXT_RESOURCE)];
    },
  },
  {
    name: 'a resource that a tool makes: list_changed, resource link, list, read',
    async run({ inbox, callTool, listResources, readResource }) {
      const linked = await callTool('gzip-file-as-resource', { name: 'linked.gz', data: 'data:text/plain,linked' });
      const changed = await inbox.next('notifications/resources/list_changed');
      return [linked, changed, await listResources(), await readResource('demo://resource/session/linked.gz')];
    },
  },
];

/** What happens while a call is open. */
const DURING_CALLS: readonly Step<SdkClient>[] = [
  {
    name: 'progress notifications',
    async run({ callTool }) {
      const progress: unknown[] = [];
      const args = { duration: 0.15, steps: 3 };
      const result = await callTool('trigger-long-running-operation', args, { onProgress: (step) => progress.push(step) });
      assert.equal(progress.length, 3);
      return [progress, result];
    },
  },
  {
    name: 'sampling',
    async run({ answers, callTool }) {
      const result = await callTool('trigger-sampling-request', { prompt: 'Say something', maxTokens: 12 });
      assert.match(JSON.stringify(result), /A sampled answer/);
      return [answers.take(), result];
    },
  },
  ...(['accept', 'decline', 'cancel'] as const).map((action) => ({
    name: `elicitation: ${action}`,
    async run({ answers, callTool }: SdkClient) {
      const before = answers.elicitation;
      answers.elicitation = action === 'accept' ? before : { action };
      const result = await callTool('trigger-elicitation-request');
      answers.elicitation = before;
      const asked = answers.take();
      assert.equal(asked.length, 1);
      return [asked, result];
    },
  })),
  {
    name: 'elicitation of a URL by request',
    async run({ answers, callTool }) {
      const before = answers.elicitation;
      answers.elicitation = { action: 'accept' };
      const result = await callTool('trigger-url-elicitation', { url: 'https://example.com/sign-in', elicitationId: 'e-1' });
      answers.elicitation = before;
      return [answers.take(), result];
    },
  },
  {
    name: 'elicitation of a URL by error',
    run: ({ callTool }) => callTool('trigger-url-elicitation', { url: 'https://example.com/first', errorPath: true }),
    fails: -32042,
  },
  {
    name: 'cancellation by the client',
    async run({ wire, callTool, ping }) {
      const from = wire.exchanges.length;
      const abort = new AbortController();
      const stepped = Promise.withResolvers<void>();
      const options = { signal: abort.signal, onProgress: () => stepped.resolve() };
      const call = callTool('trigger-long-running-operation', { duration: 20, steps: 400 }, options);
      await stepped.promise;
      abort.abort('changed my mind');
      const { error } = await errorOf(call);
      const cancelled = await wire.find(({ sent, status }) => sent?.method === 'notifications/cancelled' && status !== 0, from);
      return [error, cancelled.status, await ping()];
    },
  },
];

const END: readonly Step<SdkClient>[] = [
  { name: 'a method that nobody knows', run: (client) => client.request('acme/unknown', { a: 1 }), fails: -32601 },
  {
    name: 'DELETE ends the session',
    async run({ wire, terminateSession }) {
      await terminateSession();
      return wire.exchanges.findLast(({ method }) => method === 'DELETE')?.status;
    },
  },
  { name: 'a request after the end of the session', run: (client) => client.ping(), fails: 400 },
];

async function errorOf(call: Promise<unknown>): Promise<{ error: unknown }> {
  return call.then(
    () => assert.fail('the call was to fail'),
    (error: Error & { code?: unknown }) => ({
      error: comparable({ type: error.constructor.name, code: error.code, message: error.message }),
    }),
  );
}

/** The whole surface of the reference server (`initialize` revisions, with sessions), in the order in which it is used. */
export const EVERYTHING: readonly Step<SdkClient>[] = [
  { name: 'initialize', run: async (client) => client.handshake() },
  { name: 'ping', run: (client) => client.ping() },
  ...LISTS,
  ...READS,
  ...STREAM,
  ...DURING_CALLS,
  ...END,
];
