import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, describe, it } from 'node:test';
import { Client as ClientV2, type VersionNegotiationMode } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CreateMessageRequestSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { type Gate, startGate } from '../support/gate.ts';
import { json, startUpstream, type Upstream } from '../support/upstream.ts';
import { CLIENT_INFO } from './sdk/mcp-client.ts';
import { POLICIES } from './sdk/policies.ts';
import { MODERN } from './sdk/v2-client.ts';
import { STDIO_COMMANDS, STDIO_FILES } from './stdio/stdio-bundle.ts';

const SIDEGATE = join(import.meta.dirname, '../../bin/sidegate.ts');

let gate: Gate;
let upstream: Upstream;
let directory: string;

before(async () => {
  upstream = await startUpstream();
  directory = mkdtempSync(join(tmpdir(), 'sidegate-stdio-client-'));
  gate = await startGate({
    servers: { http: upstream.url },
    policies: POLICIES,
    files: STDIO_FILES,
    sidecarEnv: { SIDEGATE_STDIO_COMMANDS: STDIO_COMMANDS },
  });
});

after(async () => {
  await gate.stop();
  await upstream.close();
  rmSync(directory, { recursive: true, force: true });
});

async function program(server: string, user: string | undefined, more: readonly string[] = []) {
  const env: Record<string, string> = user === undefined ? {} : { SIDEGATE_USER_TOKEN: await gate.token(user) };
  return {
    command: process.execPath,
    args: [SIDEGATE, 'sidecar', 'stdio', server, '--url', `http://localhost:${gate.port}`, ...more],
    env,
    stderr: 'pipe' as const,
  };
}

/** Clients of one test; those that a failure left open are closed after it. */
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const client of opened.splice(0)) await client.close();
});

async function v1(
  server: string,
  user: string | undefined,
  more: readonly string[] = [],
): Promise<{ client: ClientV1; transport: StdioV1 }> {
  const client = new ClientV1(CLIENT_INFO, { capabilities: { sampling: {} } });
  const transport = new StdioV1(await program(server, user, more));
  opened.push(client);
  await client.connect(transport);
  return { client, transport };
}

async function v2(server: string, user: string, mode: VersionNegotiationMode): Promise<ClientV2> {
  const client = new ClientV2(CLIENT_INFO, { versionNegotiation: { mode } });
  opened.push(client);
  await client.connect(new StdioV2(await program(server, user)));
  return client;
}

const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]?.text;

describe('sidegate sidecar stdio', () => {
  it('serves a legacy client: calls, lists without what is hidden, refusals, progress', async () => {
    const { client } = await v1('everything', 'bob');
    assert.equal(client.getServerVersion()?.name, 'mcp-servers/everything');
    const names = (await client.listTools()).tools.map(({ name }) => name);
    assert.ok(names.includes('echo') && !names.includes('get-env'));
    await assert.rejects(client.callTool({ name: 'get-env', arguments: {} }), { code: 4030 });
    assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { message: 'ä\n∀' } })), 'Echo: ä\n∀');
    const steps: number[] = [];
    const call = { name: 'trigger-long-running-operation', arguments: { duration: 0.1, steps: 3 } };
    await client.callTool(call, undefined, { onprogress: ({ progress }) => steps.push(progress) });
    // The SDK loses the last one when it reads it together with the answer.
    assert.deepEqual(steps.slice(0, 2), [1, 2]);
    await client.close();
  });

  it('carries what the server asks and says by itself', async () => {
    const { client } = await v1('everything', 'alice');
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      model: 'm',
      role: 'assistant',
      content: { type: 'text', text: 'sampled here' },
    }));
    const updated = Promise.withResolvers<string>();
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => updated.resolve(params.uri));
    assert.match(
      textOf(await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'p', maxTokens: 5 } })) ?? '',
      /sampled here/,
    );
    await client.subscribeResource({ uri: 'demo://resource/dynamic/text/1' });
    await client.callTool({ name: 'toggle-subscriber-updates', arguments: {} });
    assert.equal(await updated.promise, 'demo://resource/dynamic/text/1');
    await client.close();
  });

  it('serves a modern client, with the headers its requests need', async () => {
    for (const mode of [MODERN, 'auto'] as const) {
      const client = await v2('modern', 'alice', mode);
      assert.equal(client.getNegotiatedProtocolVersion(), '2026-07-28');
      assert.ok((await client.listTools()).tools.some(({ name }) => name === 'vault'));
      assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { message: 'modern' } })), 'modern');
      await client.close();
    }
  });

  it('cancels a modern call by closing its connection', async () => {
    const client = await v2('modern', 'alice', MODERN);
    const abort = new AbortController();
    const waiting = Promise.withResolvers<void>();
    const call = client.callTool(
      { name: 'wait', arguments: { key: 'stdio-client' } },
      { signal: abort.signal, onprogress: () => waiting.resolve() },
    );
    await waiting.promise;
    abort.abort();
    await assert.rejects(call);
    for (let tries = 0; !textOf(await client.callTool({ name: 'cancelled', arguments: {} }))?.includes('stdio-client'); tries += 1) {
      assert.ok(tries < 2_000, 'the server was never told');
    }
    await client.close();
  });

  it('falls back with a client that tries the modern era on a legacy server', async () => {
    const client = await v2('everything', 'alice', 'auto');
    assert.equal(client.getNegotiatedProtocolVersion(), '2025-11-25');
    assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { message: 'x' } })), 'Echo: x');
    await client.close();
  });

  it('reads the token file again for each message', async () => {
    const file = join(directory, 'token');
    writeFileSync(file, `${await gate.token('alice')}\n`);
    const { client } = await v1('everything', undefined, ['--token-file', file]);
    assert.ok((await client.listTools()).tools.length > 5);
    writeFileSync(file, 'no token at all');
    await assert.rejects(client.listTools(), { code: 4030 });
    await client.close();
  });

  it('hands a refusal of the handshake to the client', async () => {
    await assert.rejects(v1('everything', undefined), { code: 4030 });
    await assert.rejects(v1('nowhere', 'alice'), /no MCP server is registered/);
  });

  /** What comes out when all of the input is there at once, and nothing after it. */
  async function piped(server: string, messages: readonly unknown[]): Promise<unknown[]> {
    const { command, args, env } = await program(server, 'alice');
    const child = spawn(command, args, { env: { PATH: process.env['PATH'], ...env }, stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.end(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
    const lines = (await text(child.stdout)).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line));
  }

  const call = (id: number, name: string, args: unknown, meta = {}) => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name, arguments: args, ...meta },
  });

  it('answers what was asked before the client closed its input', async () => {
    const initialize = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: CLIENT_INFO },
    };
    const slow = call(2, 'trigger-long-running-operation', { duration: 1, steps: 1 });
    const answers = await piped('everything', [initialize, { jsonrpc: '2.0', method: 'notifications/initialized' }, slow]);
    const ids = answers.flatMap((answer) => (answer as { id?: number }).id ?? []);
    assert.deepEqual(ids, [1, 2], JSON.stringify(answers));
  });

  it('does so in the modern era, and waits for no subscription', async () => {
    const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
    const notifications = { toolsListChanged: true };
    const listen = { jsonrpc: '2.0', id: 'l', method: 'subscriptions/listen', params: { notifications, _meta: META } };
    const answers = await piped('modern', [listen, call(3, 'echo', { message: 'last words' }, { _meta: META })]);
    const answer = answers.find((one) => (one as { id?: unknown }).id === 3);
    assert.equal(textOf((answer as { result?: unknown } | undefined)?.result), 'last words');
  });

  it('ends the session when the client closes its input', async () => {
    const before = gate.audit().filter(({ method }) => method === 'http/end-session').length;
    const { client } = await v1('everything', 'alice');
    await client.close();
    for (let tries = 0; gate.audit().filter(({ method }) => method === 'http/end-session').length === before; tries += 1) {
      assert.ok(tries < 1_000, 'no DELETE came');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  it('ends when the session is gone, as a server would', async () => {
    const { client, transport } = await v1('raw', 'alice');
    const closed = new Promise<void>((resolve) => (transport.onclose = resolve));
    await assert.rejects(client.callTool({ name: 'crash', arguments: {} }), { code: 5020 });
    await assert.rejects(client.callTool({ name: 'pid', arguments: {} }));
    await closed;
  });

  it('fetches the rest of an answer whose stream was closed on purpose', async () => {
    upstream.behave((request, response) => {
      const { id, method } = JSON.parse(request.body.toString() || '{}');
      if (request.method === 'GET' && request.headers['last-event-id'] === 'e1') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        return void response.end(
          'id: e2\ndata: {"jsonrpc":"2.0","id":1,\ndata: "result":{"content":[{"type":"text","text":"resumed"}]}}\n\n',
        );
      }
      if (request.method !== 'POST') return void response.writeHead(405).end();
      if (method === 'initialize') {
        response.setHeader('mcp-session-id', 's1');
        return json(response, {
          jsonrpc: '2.0',
          id,
          result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'u', version: '1' } },
        });
      }
      if (id === undefined) return void response.writeHead(202).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end('id: e1\nretry: 10\ndata:\n\n');
    });
    const { client } = await v1('http', 'alice');
    assert.equal(textOf(await client.callTool({ name: 'slow', arguments: {} })), 'resumed');
    const [call] = upstream.arrived.filter(({ body }) => body.includes('tools/call'));
    assert.equal(call?.headers['mcp-protocol-version'], '2025-11-25');
    assert.equal(call?.headers['mcp-session-id'], 's1');
    await client.close();
  });
});
