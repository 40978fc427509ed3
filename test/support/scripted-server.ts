import type { ServerResponse } from 'node:http';
import { type Arrived, json, startUpstream, type Upstream } from './upstream.ts';

/** What a scripted server has, and what it was sent. */
export interface ScriptedServer extends Upstream {
  /** Results by method, in place of the usual ones; a function may answer by itself. */
  readonly results: Map<string, unknown | ((message: Message, response: ServerResponse) => void)>;
  /** Sessions that are open. */
  readonly sessions: Set<string>;
  /** Streams that are open: GET (legacy) and `subscriptions/listen` (modern). */
  readonly streams: Set<ServerResponse>;
  /** Messages of a method that arrived. */
  messages(method: string): Message[];
  /** Writes one message to every open stream. */
  say(message: unknown): void;
  /** Answers nothing until it is called again with false. */
  hang(isHanging: boolean): void;
}

export interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: unknown;
  readonly error?: unknown;
}

const ALL = { tools: { listChanged: true }, prompts: {}, resources: { subscribe: true }, completions: {}, logging: {} };
const STREAM = { 'content-type': 'text/event-stream' };

/** A server of both eras, with sessions in the legacy one, that has one of each and says which server it is. */
export async function startScriptedServer(name: string): Promise<ScriptedServer> {
  const sessions = new Set<string>();
  const streams = new Set<ServerResponse>();
  const results: ScriptedServer['results'] = new Map<string, unknown>([
    ['tools/list', { tools: [{ name: 'open' }, { name: 'hidden' }] }],
    ['tools/call', { content: [{ type: 'text', text: `${name} did it` }] }],
    ['prompts/list', { prompts: [{ name: 'greet' }] }],
    ['prompts/get', { messages: [] }],
    ['resources/list', { resources: [{ uri: 'file:///open', name: 'open' }] }],
    ['resources/templates/list', { resourceTemplates: [{ uriTemplate: 'file:///{x}', name: 'any' }] }],
    ['resources/read', { contents: [{ uri: 'file:///open', text: name }] }],
    ['resources/subscribe', {}],
    ['completion/complete', { completion: { values: [name] } }],
    ['logging/setLevel', {}],
    ['server/discover', { supportedVersions: ['2026-07-28'], capabilities: ALL, instructions: `use ${name}.hidden`, ttlMs: 1_000 }],
  ]);
  let held: (() => void)[] | undefined;
  let count = 0;

  const answer = (request: Arrived, response: ServerResponse): void => {
    const sessionId = request.headers['mcp-session-id'];
    const isModern = request.headers['mcp-protocol-version'] === '2026-07-28';
    if (sessionId !== undefined && !sessions.has(String(sessionId))) return void response.writeHead(404).end();
    if (request.method === 'DELETE') {
      sessions.delete(String(sessionId));
      return void response.writeHead(200).end();
    }
    if (request.method === 'GET') return keep(response);
    const message = JSON.parse(request.body.toString()) as Message;
    const { id, method = '' } = message;
    if (id === undefined || !('method' in message)) return void response.writeHead(202).end();
    if (method === 'initialize' && !results.has(method)) {
      count += 1;
      sessions.add(`${name}-${count}`);
      response.setHeader('mcp-session-id', `${name}-${count}`);
      const result = { protocolVersion: '2025-06-18', capabilities: ALL, serverInfo: { name, version: '1' }, instructions: 'use hidden' };
      return json(response, { jsonrpc: '2.0', id, result });
    }
    if (!isModern && sessionId === undefined && method !== 'initialize')
      return json(response, { jsonrpc: '2.0', id, error: { code: -32000, message: 'no session' } }, 400);
    if (method === 'subscriptions/listen' && !results.has(method)) {
      keep(response);
      const _meta = { 'io.modelcontextprotocol/subscriptionId': id };
      const acknowledged = { method: 'notifications/subscriptions/acknowledged', params: { ...message.params, _meta } };
      return void response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...acknowledged })}\n\n`);
    }
    const result = results.get(method);
    if (typeof result === 'function') return result(message, response);
    if (result === undefined) return json(response, { jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }, isModern ? 404 : 200);
    json(response, { jsonrpc: '2.0', id, result: isModern ? { resultType: 'complete', ...(result as object) } : result });
  };
  const keep = (response: ServerResponse): void => {
    response.writeHead(200, STREAM).write(':\n\n');
    streams.add(response);
    response.on('close', () => streams.delete(response));
  };
  const upstream = await startUpstream((request, response) => {
    if (held === undefined) answer(request, response);
    else held.push(() => answer(request, response));
  });
  return {
    ...upstream,
    results,
    sessions,
    streams,
    messages: (method) =>
      upstream.arrived
        .filter(({ method: http }) => http === 'POST')
        .map(({ body }) => JSON.parse(body.toString()) as Message)
        .filter((message) => message.method === method),
    say(message) {
      for (const stream of streams) stream.write(`id: 1\ndata: ${JSON.stringify(message)}\n\n`);
    },
    hang(isHanging) {
      const waiting = held ?? [];
      held = isHanging ? [] : undefined;
      for (const go of waiting) go();
    },
  };
}
