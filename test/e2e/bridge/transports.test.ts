import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';
import { type Gate, startGate } from '../../support/gate.ts';
import { outcomeOf } from '../sdk/outcome.ts';
import { connectV1 } from '../sdk/v1-client.ts';
import { connectV2, MODERN } from '../sdk/v2-client.ts';
import { EVERYTHING, MODERN_SERVER, nodeServer, STDIO_COMMANDS } from '../stdio/stdio-bundle.ts';
import { POLICIES } from './policies.ts';

const FORM = { type: 'object' as const, properties: { date: { type: 'string' as const } } };

/** A server of the official SDK on the transport of 2024-11-05. */
async function startSseServer(): Promise<Server> {
  const transports = new Map<string, SSEServerTransport>();
  const server = createServer(async (request, response) => {
    const id = new URL(request.url ?? '', 'http://localhost').searchParams.get('sessionId');
    if (request.method !== 'GET') return void transports.get(id ?? '')?.handlePostMessage(request, response);
    const transport = new SSEServerTransport('/messages', response);
    transports.set(transport.sessionId, transport);
    const mcp = new McpServer({ name: 'oldest', version: '1.0.0' });
    const text = (value: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(value) }] });
    mcp.registerTool('echo', { inputSchema: { message: z.string() } }, ({ message }) => text(message));
    mcp.registerTool('ask', {}, async () => text(await mcp.server.elicitInput({ message: 'When?', requestedSchema: FORM })));
    await mcp.connect(transport as Transport);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

let sse: Server;
let gate: Gate;

before(async () => {
  sse = await startSseServer();
  const url = `http://127.0.0.1:${(sse.address() as AddressInfo).port}/sse`;
  gate = await startGate({
    servers: {},
    policies: POLICIES,
    files: {
      'servers/oldest.yaml': `name: oldest\nurl: ${url}\ntransport: http+sse\nbridge_to: legacy\n`,
      'servers/program.yaml': nodeServer('program', [EVERYTHING, 'stdio'], { bridge_to: 'legacy' }),
      'servers/new-program.yaml': nodeServer('new-program', [MODERN_SERVER], { bridge_to: 'modern' }),
    },
    sidecarEnv: { SIDEGATE_STDIO_COMMANDS: STDIO_COMMANDS },
  }).catch((error: unknown) => {
    sse.close();
    throw error;
  });
});

after(async () => {
  await gate.stop();
  sse.closeAllConnections();
  sse.close();
});

const text = (value: unknown) => JSON.stringify(value);

describe('bridges to servers that do not serve Streamable HTTP', () => {
  it('a modern agent at a legacy program', async () => {
    const client = await connectV2(gate.url('program'), await gate.token('alice'), MODERN);
    assert.match(text(await client.listTools()), /get-sum/);
    assert.match(text(await client.callTool('get-sum', { a: 1, b: 2 })), /3/);
    assert.match(text(await client.callTool('trigger-sampling-request', { prompt: 'x', maxTokens: 10 })), /A sampled answer/);
    await client.close();
  });

  it('a modern agent at a server of the HTTP+SSE transport', async () => {
    const client = await connectV2(gate.url('oldest'), await gate.token('alice'), MODERN);
    client.answers.elicitation = { action: 'accept', content: { date: '2026-12-05' } };
    assert.match(text(await client.callTool('echo', { message: 'old' })), /old/);
    assert.match(text(await client.callTool('ask')), /2026-12-05/);
    await client.close();
  });

  it('a legacy agent at a modern program, a process for each user', async () => {
    const pids = new Set<string>();
    for (const user of ['alice', 'bob', 'alice']) {
      const client = await connectV1(gate.url('new-program'), await gate.token(user));
      pids.add(text(await client.callTool('pid')));
      const progress = Promise.withResolvers<unknown>();
      const steps = client.callTool('steps', { name: 'one', steps: 2 }, { onProgress: progress.resolve });
      assert.match(text(await progress.promise), /"progress":1/);
      assert.match(text(await steps), /one/);
      assert.match(text(await outcomeOf(() => client.callTool('vault'))), user === 'bob' ? /not for bob/ : /gold/);
      await client.close();
    }
    assert.equal(pids.size, 2);
  });
});
