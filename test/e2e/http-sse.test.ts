import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ElicitRequestSchema, LoggingMessageNotificationSchema, McpError } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { type Gate, startGate } from '../support/gate.ts';
import { call, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';

const POLICIES = `
permit (principal, action == Action::"CallUndeclaredTool", resource)
  unless { resource == Tool::"old/hidden" };
permit (principal, action == Action::"AskClient", resource in Server::"old");
`;

/** What the server was sent: how often each session was posted to, and with which credential. */
interface OldServer {
  readonly url: string;
  readonly credentials: (string | undefined)[];
  readonly called: string[];
  readonly open: Set<string>;
  close(): Promise<void>;
}

/** A server of the official SDK on the HTTP+SSE transport. */
async function startOldServer(): Promise<OldServer> {
  const transports = new Map<string, SSEServerTransport>();
  const credentials: (string | undefined)[] = [];
  const called: string[] = [];
  const open = new Set<string>();
  const http = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    credentials.push(request.headers['x-api-key'] as string | undefined);
    if (request.method === 'GET' && url.pathname === '/sse') {
      const transport = new SSEServerTransport('/messages?kept=1', response);
      transports.set(transport.sessionId, transport);
      open.add(transport.sessionId);
      response.on('close', () => open.delete(transport.sessionId));
      await oldServer(called).connect(transport);
    } else {
      const transport = transports.get(url.searchParams.get('sessionId') ?? '');
      if (url.searchParams.get('kept') !== '1' || transport === undefined) return void response.writeHead(404).end();
      await transport.handlePostMessage(request, response);
    }
  });
  const port = await listening(http);
  return {
    url: `http://127.0.0.1:${port}/sse`,
    credentials,
    called,
    open,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function oldServer(called: string[]): McpServer {
  const server = new McpServer({ name: 'old', version: '1' }, { capabilities: { logging: {} } });
  for (const name of ['shown', 'hidden']) {
    server.registerTool(name, { description: name, inputSchema: { text: z.string() } }, async ({ text }, { sendNotification }) => {
      called.push(name);
      await sendNotification({ method: 'notifications/message', params: { level: 'info', data: `${text} heard` } });
      return { content: [{ type: 'text', text }] };
    });
  }
  server.registerTool('ask', { description: 'asks', inputSchema: {} }, async () => {
    const { action } = await server.server.elicitInput({ message: 'may I?', requestedSchema: { type: 'object', properties: {} } });
    return { content: [{ type: 'text', text: action }] };
  });
  return server;
}

async function listening(http: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return (http.address() as AddressInfo).port;
}

/** What a misbehaving server does with its stream. */
type Misbehaviour = (response: ServerResponse, request: IncomingMessage) => void;

let old: OldServer;
let gate: Gate;
let alice: string;
let bob: string;
let hostile: Misbehaviour = () => {};
let onPost: Misbehaviour = (response) => void response.writeHead(202).end();
const hostileHttp = createServer((request, response) => {
  if (request.method === 'GET') hostile(response, request);
  else request.resume().on('end', () => onPost(response, request));
});

before(async () => {
  old = await startOldServer();
  const hostilePort = await listening(hostileHttp);
  gate = await startGate({
    servers: {},
    policies: POLICIES,
    files: {
      'servers/old.yaml': `name: old\nurl: ${old.url}\ntransport: http+sse\ncredential: {strategy: file, path: "old/{user}", header: x-api-key}\n`,
      'servers/hostile.yaml': `name: hostile\nurl: http://127.0.0.1:${hostilePort}/sse\ntransport: http+sse\n`,
      'servers/new.yaml': `name: new\nurl: http://127.0.0.1:9/mcp\n`,
    },
    secrets: { 'old/alice': 'key-of-alice', 'old/bob': 'key-of-bob' },
    sidecarEnv: { SIDEGATE_STDIO_MAX_LINE_BYTES: '1048576', SIDEGATE_UPSTREAM_TIMEOUT_MS: '5000' },
  });
  [alice, bob] = [await gate.token('alice'), await gate.token('bob')];
});
after(async () => {
  await gate.stop();
  await old.close();
  hostileHttp.closeAllConnections();
  await new Promise((resolve) => hostileHttp.close(resolve));
});

function connections(token: string): readonly (readonly [string, () => Transport])[] {
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  return [
    ['a Streamable HTTP client', () => new StreamableHTTPClientTransport(new URL(gate.url('old')), { requestInit }) as Transport],
    [
      'an HTTP+SSE client',
      () =>
        new SSEClientTransport(new URL(`http://localhost:${gate.port}/old/sse`), {
          requestInit,
          eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...requestInit.headers } }) },
        }),
    ],
  ];
}

async function connected(transport: Transport): Promise<{ client: Client; heard: string[] }> {
  const client = new Client({ name: 'agent', version: '1' }, { capabilities: { elicitation: {} } });
  const heard: string[] = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.push(String(params.data)));
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: {} }));
  await client.connect(transport);
  return { client, heard };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition() && tries < 1_000; tries += 1) await sleep(25);
  assert.ok(condition());
}

describe('a server of the HTTP+SSE transport', () => {
  for (const index of [0, 1]) {
    const title = index === 0 ? 'a Streamable HTTP client' : 'an HTTP+SSE client';
    it(`serves ${title}, with lists filtered, calls judged and the user’s own credential`, async () => {
      const transport = connections(alice)[index]?.[1]();
      assert.ok(transport);
      old.credentials.length = 0;
      old.called.length = 0;
      const { client, heard } = await connected(transport);
      const { tools } = await client.listTools();
      assert.deepEqual(
        tools.map(({ name }) => name),
        ['shown', 'ask'],
      );
      assert.deepEqual((await client.callTool({ name: 'shown', arguments: { text: 'hallo' } })).content, [{ type: 'text', text: 'hallo' }]);
      await until(() => heard.includes('hallo heard'));
      await assert.rejects(
        client.callTool({ name: 'hidden', arguments: { text: 'x' } }),
        (error) => error instanceof McpError && error.code === 4030,
      );
      assert.deepEqual((await client.callTool({ name: 'ask', arguments: {} })).content, [{ type: 'text', text: 'accept' }]);
      assert.deepEqual(old.called, ['shown']);
      assert.ok(old.credentials.length > 4);
      assert.ok(old.credentials.every((credential) => credential === 'key-of-alice'));
      if (transport instanceof StreamableHTTPClientTransport) await transport.terminateSession();
      await client.close();
      await until(() => old.open.size === 0);
    });
  }

  it('keeps the sessions of users apart', async () => {
    const { client } = await connected(connections(alice)[0]?.[1]() as Transport);
    const sessionId = (client.transport as StreamableHTTPClientTransport).sessionId ?? '';
    const answer = await send(gate.port, {
      path: '/old/mcp',
      headers: { ...MCP_HEADERS, authorization: `Bearer ${bob}`, 'mcp-session-id': sessionId },
      body: call('shown', { text: 'x' }),
    });
    assert.equal(answer.status, 404);
    await client.close();
  });

  it('keeps the streams of users apart', async () => {
    const stream = await fetch(`http://localhost:${gate.port}/old/sse`);
    const reader = stream.body?.getReader();
    const [, path = ''] = /data: (\S+)/.exec(Buffer.from((await reader?.read())?.value ?? []).toString()) ?? [];
    const post = (token: string, body: string) =>
      send(gate.port, { path, headers: { ...MCP_HEADERS, authorization: `Bearer ${token}` }, body });
    const initialize = JSON.stringify({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    });
    assert.equal((await post(alice, initialize)).status, 202);
    assert.equal((await post(alice, initialize)).status, 400);
    assert.equal((await post(bob, call('shown', { text: 'x' }))).status, 404);
    await reader?.cancel();
    assert.equal((await send(gate.port, { path: `${path}A`, headers: MCP_HEADERS, body: initialize })).status, 404);
  });

  it('records what its door refuses', async () => {
    const refused = (code: string, method: string) =>
      gate.audit().filter((record) => record.server === 'old' && record.code === code && record.method === method).length;
    const [sessions, origins] = [refused('unknown_session', ''), refused('foreign_origin', 'http/stream')];
    const headers = { ...MCP_HEADERS, authorization: `Bearer ${alice}` };
    const unknown = await send(gate.port, { path: '/old/messages?session=guessed', headers, body: call('shown') });
    assert.equal(unknown.status, 404);
    const foreign = await send(gate.port, { method: 'GET', path: '/old/sse', headers: { origin: 'https://evil.example' } });
    assert.equal(foreign.status, 403);
    while (refused('unknown_session', '') === sessions || refused('foreign_origin', 'http/stream') === origins) await sleep(20);
  });

  it('is the only kind that has a stream at /sse', async () => {
    for (const path of ['/new/sse', '/old/sse/', '/old/SSE', '/nobody/sse']) {
      assert.equal((await send(gate.port, { method: 'GET', path })).status, 404, path);
    }
    assert.equal((await send(gate.port, { path: '/old/sse', body: '{}' })).status, 405);
    assert.equal((await send(gate.port, { method: 'GET', path: '/old/sse', headers: { origin: 'http://evil.example' } })).status, 403);
  });

  it('tells a client of both eras to initialize', async () => {
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
    const answer = await send(gate.port, {
      path: '/old/mcp',
      headers: {
        ...MCP_HEADERS,
        authorization: `Bearer ${alice}`,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'server/discover',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: meta } }),
    });
    assert.equal(answer.status, 400);
    assert.equal(rpcError(answer)?.code, -32600);
  });
});

describe('a hostile server of the HTTP+SSE transport', () => {
  const EVENTS = { 'content-type': 'text/event-stream' };
  const initialize = () =>
    send(gate.port, {
      path: '/hostile/mcp',
      headers: { ...MCP_HEADERS, authorization: `Bearer ${alice}` },
      body: JSON.stringify({ jsonrpc: '2.0', id: 'i', method: 'initialize', params: { protocolVersion: '2025-03-26', capabilities: {} } }),
    });
  const naming =
    (data: string): Misbehaviour =>
    (response) =>
      void response.writeHead(200, EVENTS).write(`event: endpoint\ndata: ${data}\n\n`);

  for (const [title, behaviour] of [
    ['names an endpoint elsewhere', naming('http://127.0.0.1:9/messages')],
    ['names an endpoint on another host by its path', naming('//evil.example/messages')],
    ['names an endpoint of another scheme', naming('https://127.0.0.1/messages')],
    ['names an endpoint with a password', (response, request) => naming(`http://a:b@${request.headers.host}/m`)(response, request)],
    ['names no endpoint', (response) => void response.writeHead(200, EVENTS).write(': nothing\n\n')],
    [
      'names two endpoints',
      (response) => void response.writeHead(200, EVENTS).write('event: endpoint\ndata: /a\n\nevent: endpoint\ndata: /b\n\n'),
    ],
    ['opens no stream', (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{}')],
    ['encodes its stream', (response) => void response.writeHead(200, { ...EVENTS, 'content-encoding': 'gzip' }).write('x')],
    ['redirects', (response) => void response.writeHead(307, { location: 'http://127.0.0.1:9/sse' }).end()],
    ['asks for a credential', (response) => void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()],
    ['closes its stream', (response) => void response.writeHead(200, EVENTS).end('event: endpoint\ndata: /m\n\n')],
    ['sends an event without end', (response) => void response.writeHead(200, EVENTS).write(`data: ${'x'.repeat(1_100_000)}`)],
  ] as const satisfies readonly (readonly [string, Misbehaviour])[]) {
    it(`that ${title} is refused`, async () => {
      hostile = behaviour;
      const answer = await initialize();
      assert.equal(answer.status, 200);
      assert.equal(rpcError(answer)?.code, 5020);
      assert.equal(answer.headers['www-authenticate'], undefined);
    });
  }

  it('that does not accept a message fails that call alone', async () => {
    hostile = naming('/m');
    onPost = (response) => void response.writeHead(500).end();
    const answer = await initialize();
    assert.match(rpcError(answer)?.message ?? '', /HTTP status 500/);
    onPost = (response) => void response.writeHead(202).end();
  });
});
