import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { MCP_HEADERS, send } from '../support/mcp-request.ts';
import { json, startUpstream, type Upstream } from '../support/upstream.ts';

const policy = (tool: string) => `permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"files/${tool}");\n`;

let upstream: Upstream | undefined;
let gate: Gate | undefined;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({ servers: { files: upstream.url }, policies: policy('a') });
});

after(async () => {
  await gate?.stop();
  await upstream?.close();
});

/** Opens a stream and collects what comes on it. */
function listen(
  method: 'GET' | 'POST',
  headers: Record<string, string>,
  body?: string,
): { readonly text: () => string; readonly close: () => void } {
  let text = '';
  const outgoing = httpRequest({
    host: '127.0.0.1',
    port: gate?.port,
    path: '/files/mcp',
    method,
    headers: { host: 'localhost', ...headers },
  });
  outgoing.on('error', () => {});
  outgoing.on('response', (response) => {
    response.on('error', () => {});
    response.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  });
  outgoing.end(body);
  return { text: () => text, close: () => outgoing.destroy() };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2_000; tries += 1) {
    if (condition()) return;
    await sleep(10);
  }
  assert.fail('not in time');
}

describe('a policy that changes', () => {
  for (const [name, capabilities, told] of [
    ['is told to a legacy session whose server announces changes', { tools: { listChanged: true }, prompts: {} }, true],
    ['is not told to one whose server does not', { tools: {} }, false],
  ] as const) {
    it(name, async () => {
      assert.ok(upstream && gate);
      upstream.behave((request, response) => {
        response.setHeader('mcp-session-id', `session-${told}`);
        if (request.method === 'POST')
          return json(response, { jsonrpc: '2.0', id: 1, result: { protocolVersion: '2025-11-25', capabilities } });
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(':\n\n');
      });
      const authorization = `Bearer ${await gate.token('alice')}`;
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
      const opened = await send(gate.port, { path: '/files/mcp', headers: { ...MCP_HEADERS, authorization }, body });
      const stream = listen('GET', {
        authorization,
        accept: 'text/event-stream',
        'mcp-session-id': String(opened.headers['mcp-session-id']),
      });
      await until(() => stream.text().includes(':\n\n'));
      gate.writeBundleFile('policies/policies.cedar', policy(`for-${told}`));
      if (told) await until(() => stream.text().includes('list_changed'));
      else await sleep(700);
      assert.equal(
        stream.text(),
        told ? ':\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n' : ':\n\n',
      );
      stream.close();
    });
  }

  it('is told to a modern subscription, for what it asked to hear, under its own id', async () => {
    assert.ok(upstream && gate);
    const acknowledged = 'data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}\n\n';
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(acknowledged);
    });
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
    const params = { notifications: { promptsListChanged: true, toolsListChanged: false }, _meta: meta };
    const stream = listen(
      'POST',
      {
        ...MCP_HEADERS,
        authorization: `Bearer ${await gate.token('alice')}`,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'subscriptions/listen',
      },
      JSON.stringify({ jsonrpc: '2.0', id: 'sub-1', method: 'subscriptions/listen', params }),
    );
    await until(() => stream.text() === acknowledged);
    gate.writeBundleFile('policies/policies.cedar', policy('modern'));
    await until(() => stream.text().length > acknowledged.length);
    const params2 = '"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sub-1"}}';
    assert.equal(
      stream.text(),
      `${acknowledged}event: message\ndata: {"jsonrpc":"2.0","method":"notifications/prompts/list_changed",${params2}}\n\n`,
    );
    stream.close();
  });
});
