import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { type Arrived, type Behaviour, json, startUpstream, type Upstream } from '../support/upstream.ts';
import { FORGED, type JsonObject, type Revision, type Step } from './method-table.ts';

/** alice may use what is called safe, and be asked anything that MCP defines; bob may call what is called safe; carol may not even connect. */
const POLICIES = `
permit (principal == User::"alice", action == Action::"CallUndeclaredTool", resource == Tool::"files/safe");
permit (principal == User::"alice", action == Action::"GetPrompt", resource) when { resource.name == "safe" };
permit (principal == User::"alice", action == Action::"ReadResource", resource) when { resource.uri like "safe:///*" };
permit (principal == User::"alice", action == Action::"SendMethod", resource);
permit (principal == User::"alice", action == Action::"AskClient", resource) unless { resource.name == "agent/run" };
permit (principal == User::"bob", action == Action::"CallUndeclaredTool", resource == Tool::"files/safe");
forbid (principal == User::"carol", action == Action::"Connect", resource);
`;
/** A tool that is taken away once it has made a task. */
const RETIRING = 'permit (principal == User::"alice", action == Action::"CallUndeclaredTool", resource == Tool::"files/retiring");';

export type User = 'alice' | 'bob' | 'carol';

/** The parameter that `Mcp-Name` repeats (SEP-2243, SEP-2663). */
const NAME_PARAMETERS: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** What the sidecar adds to a message that has a `_meta`: nothing else may differ. */
const TRACEPARENT = /"traceparent":"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]",?/;

/** What a server is told when a request of its own was refused; it may come late. */
const TOLD = /^\{"jsonrpc":"2\.0","id":"[\w-]+","error":\{"code":4030,/;

export const MESSAGE_ID = 'matrix-1';

/** A sidecar before one server that does as it is told. */
export interface MatrixGate {
  /** Everything that has arrived, also what the sidecar itself told the server: that a request of the server's was refused. */
  readonly arrived: Arrived[];
  /** What has arrived from the agent, as text. */
  fromAgent(): readonly string[];
  behave(behaviour: Behaviour): void;
  /** Sends a message of a revision, with the fields that go with it. */
  post(revision: Revision, user: User, message: Message): Promise<Answer>;
  /** Sends messages of 2025-03-26 as one array. @param accept the media types that the agent takes. @param named the revision in the field */
  postBatch(user: User, messages: readonly Message[], accept: string, named?: Revision): Promise<Answer>;
  /** Lets happen what comes before a case. */
  run(revision: Revision, steps: readonly Step[] | undefined): Promise<void>;
  /** Sends an answer to a request of the server, as it is. */
  respond(revision: Revision, user: User, body: string): Promise<Answer>;
  /** Opens the GET stream of the revisions with sessions, and reads it to its end. */
  get(revision: Revision, user: User): Promise<Answer>;
  /** Fails unless the bytes of this message, and nothing else, have arrived from the agent. */
  assertArrived(revision: Revision, message: Message): void;
  stop(): Promise<void>;
}

export interface Message {
  readonly method: string;
  readonly params?: JsonObject | undefined;
  /** A notification has none. */
  readonly id?: string;
}

const isModern = (revision: Revision) => revision >= '2026-07-28';

/** The bytes of a message, as a client of the revision writes it. */
export function bytesOf(revision: Revision, { method, params, id }: Message): string {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientCapabilities': {
      sampling: {},
      elicitation: {},
      roots: {},
      extensions: { 'io.modelcontextprotocol/tasks': {} },
    },
  };
  const all = isModern(revision) ? { ...params, _meta } : params;
  const message = { jsonrpc: '2.0', ...(id !== undefined && { id }), method, ...(all !== undefined && { params: all }) };
  return JSON.stringify(message).replaceAll('$revision', revision);
}

function fieldsOf(revision: Revision, { method, params }: Message): Record<string, string> {
  if (!isModern(revision)) return revision >= '2025-06-18' ? { 'mcp-protocol-version': revision } : {};
  const name = params?.[NAME_PARAMETERS[method] ?? ''];
  return { 'mcp-protocol-version': revision, 'mcp-method': method, ...(typeof name === 'string' && { 'mcp-name': name }) };
}

export async function startMatrixGate(): Promise<MatrixGate> {
  const upstream: Upstream = await startUpstream();
  const gate: Gate = await startGate({ servers: { files: upstream.url }, policies: POLICIES + RETIRING });
  const tokens = { alice: await gate.token('alice'), bob: await gate.token('bob'), carol: await gate.token('carol') };
  const path = '/files/mcp';
  const fromAgent = () => upstream.arrived.map(({ body }) => body.toString()).filter((text) => !TOLD.test(text));
  const post = (revision: Revision, user: User, message: Message) =>
    send(gate.port, {
      path,
      body: bytesOf(revision, message),
      headers: { ...MCP_HEADERS, authorization: `Bearer ${tokens[user]}`, ...fieldsOf(revision, message) },
    });
  const run = async (revision: Revision, steps: readonly Step[] = []) => {
    for (const { as, method, params, result } of steps) {
      const text = resultOf(revision, result);
      upstream.behave(answering(text));
      assert.equal((await post(revision, as as User, { method, params, id: MESSAGE_ID })).text, text);
    }
    upstream.arrived.length = 0;
  };
  // Which tools there are, so that instructions can be told to name one.
  upstream.behave(answering(resultOf('2025-11-25', { tools: [{ name: 'safe' }, { name: 'hidden-a' }, { name: 'hidden-b' }] })));
  await post('2025-11-25', 'alice', { method: 'tools/list', id: MESSAGE_ID });
  const retiring = { method: 'tools/call', params: { name: 'retiring', task: {} } };
  await run('2025-11-25', [{ as: 'alice', ...retiring, result: { task: { taskId: 'retired', status: 'working' } } }]);
  gate.writeBundleFile('policies/policies.cedar', POLICIES);
  await until(async () => rpcError(await post('2025-11-25', 'alice', { ...retiring, id: MESSAGE_ID }))?.code === 4030);
  upstream.arrived.length = 0;

  return {
    arrived: upstream.arrived,
    fromAgent,
    behave: (behaviour) => upstream.behave(behaviour),
    post,
    postBatch: (user, messages, accept, named) =>
      send(gate.port, {
        path,
        body: `[${messages.map((message) => bytesOf('2025-03-26', message)).join()}]`,
        headers: {
          ...MCP_HEADERS,
          accept,
          authorization: `Bearer ${tokens[user]}`,
          ...(named !== undefined && { 'mcp-protocol-version': named }),
        },
      }),
    run,
    respond: (revision, user, body) =>
      send(gate.port, {
        path,
        body,
        headers: { ...MCP_HEADERS, authorization: `Bearer ${tokens[user]}`, ...fieldsOf(revision, { method: '' }) },
      }),
    get: (revision, user) =>
      send(gate.port, {
        method: 'GET',
        path,
        headers: { accept: 'text/event-stream', authorization: `Bearer ${tokens[user]}`, 'mcp-protocol-version': revision },
      }),
    assertArrived(revision, message) {
      const texts = fromAgent().map((text) => (isModern(revision) ? text.replace(TRACEPARENT, '') : text));
      assert.deepEqual(texts, [bytesOf(revision, message)]);
    },
    async stop() {
      await gate.stop();
      await upstream.close();
    },
  };
}

/** A result as a server of the revision writes it, with the id of the message it answers. */
export function resultOf(revision: Revision, result: JsonObject): string {
  const typed = isModern(revision) ? { resultType: 'complete', ...result } : result;
  return JSON.stringify({ jsonrpc: '2.0', id: MESSAGE_ID, result: typed }).replaceAll('$revision', revision);
}

export function event(message: string, id = 'e'): string {
  return `event: message\nid: ${id}\ndata: ${message}\n\n`;
}

/** Answers requests with one JSON text, and everything else with 202. */
export const answering =
  (text: string): Behaviour =>
  (request, response) => {
    if (isRequest(request)) response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    else response.writeHead(202).end();
  };

/** Answers requests and GET with an event stream, and everything else with 202. */
export const streaming =
  (events: string): Behaviour =>
  (request, response) => {
    if (request.method === 'GET' || isRequest(request)) response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events);
    else response.writeHead(202).end();
  };

/** Answers a notification with a stream, too. */
export const streamingAlways =
  (events: string): Behaviour =>
  ({ body }, response) => {
    if (body.includes('"method"')) response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events);
    else response.writeHead(202).end();
  };

export const refusing: Behaviour = (_request, response) => json(response, { error: 'nothing should come here' }, 500);

function isRequest({ body }: Arrived): boolean {
  return body.includes('"method"') && body.includes('"id"');
}

/** Everything forged, as a server puts it on a stream and as the agent may have it. */
export function forgedEvents(tag: string): { readonly sent: string; readonly left: string } {
  const events = (messages: readonly (JsonObject | undefined)[]) =>
    messages.map((message, index) => (message === undefined ? '' : event(JSON.stringify(message), `${tag}-${index}`))).join('');
  return { sent: events(FORGED.map(({ message }) => message)), left: events(FORGED.map(({ left }) => left)) };
}

/** Waits until a request has arrived that fits. */
export async function arrival(arrived: readonly Arrived[], fits: (request: Arrived) => boolean): Promise<Arrived> {
  await until(async () => arrived.some(fits));
  return arrived.find(fits) as Arrived;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 3_000; tries += 1) {
    if (await condition()) return;
    await sleep(10);
  }
  throw new Error('it did not come to pass in time');
}
