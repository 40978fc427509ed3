import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { call, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { echoResult, startUpstream, type Upstream } from '../support/upstream.ts';

const POLICIES = 'permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"files");';

/** Requests without a message, whose agent goes away. Each has a server of its own, so that no other record is taken for its own. */
const ABANDONED = [
  { server: 'open-stream', name: 'a GET stream that is open', method: 'GET', recordedAs: 'http/stream' },
  { server: 'silent-stream', name: 'a GET stream that the server never opened', method: 'GET', recordedAs: 'http/stream' },
  { server: 'silent-end', name: 'a DELETE that the server never answered', method: 'DELETE', recordedAs: 'http/end-session' },
] as const;

let upstream: Upstream;
let gate: Gate;
let authorization: string;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({
    servers: Object.fromEntries(['files', ...ABANDONED.map(({ server }) => server)].map((name) => [name, upstream.url])),
    policies: POLICIES,
  });
  authorization = `Bearer ${await gate.token('alice')}`;
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

beforeEach(() => {
  upstream.behave(echoResult);
  upstream.arrived.length = 0;
  upstream.abandoned.length = 0;
});

/** Opens a request and gives its response as soon as the head is there. */
function open(
  method: 'GET' | 'POST',
  headers: Record<string, string>,
  body?: string,
): Promise<{ response: IncomingMessage; leave: () => void }> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port: gate.port,
      path: '/files/mcp',
      method,
      headers: { host: 'localhost', authorization, ...headers },
    });
    outgoing.on('response', (response) => resolve({ response, leave: () => outgoing.destroy() }));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function until(condition: () => boolean, limitMs = 20_000): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    assert.ok(performance.now() - start < limitMs, 'in time');
    await sleep(10);
  }
}

const MODERN_CALL = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'slow',
    arguments: {},
    _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} },
  },
});
const MODERN_HEADERS = { ...MCP_HEADERS, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'slow' };

describe('event streams', () => {
  for (const [name, openStream] of [
    ['the answer of a call', () => open('POST', MCP_HEADERS, call('slow'))],
    ['the answer of a list', () => open('POST', MCP_HEADERS, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}')],
    ['the legacy GET stream', () => open('GET', { accept: 'text/event-stream' })],
  ] as const) {
    it(`pass each event on before the next one exists: ${name}`, async () => {
      const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      upstream.behave(async (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.flushHeaders();
        for (const [index, { promise }] of gates.entries()) {
          await promise;
          response.write(`id: ${index}\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":${index}}}\n\n`);
        }
        response.end();
      });
      const { response } = await openStream();
      assert.equal(response.headers['content-type'], 'text/event-stream');
      const received: string[] = [];
      response.on('data', (chunk: Buffer) => received.push(chunk.toString()));
      for (const [index, { resolve }] of gates.entries()) {
        resolve();
        await until(() => received.join('').includes(`id: ${index}\n`) && received.join('').endsWith('\n\n'));
      }
    });
  }

  it('reach a slow reader whole, without being held in memory', async () => {
    const total = 64 * 1024 * 1024;
    const event = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(65_000) } })}\n\n`;
    let sent = 0;
    upstream.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      while (sent < total && !response.destroyed) {
        sent += event.length;
        if (!response.write(event)) await new Promise((resolve) => response.once('drain', resolve));
      }
      response.end();
    });
    const { response } = await open('POST', MCP_HEADERS, call('slow'));
    await sleep(500);
    assert.ok(sent < total / 2, `the server may not run ahead of its reader: ${sent} bytes`);
    let received = 0;
    for await (const chunk of response) received += (chunk as Buffer).length;
    assert.equal(received, sent);
  });
});

describe('an agent that goes away', () => {
  const neverAnswer = () => {};

  it('cancels its call in the modern era', async () => {
    upstream.behave(neverAnswer);
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port: gate.port,
      path: '/files/mcp',
      method: 'POST',
      headers: { host: 'localhost', authorization, ...MODERN_HEADERS },
    });
    outgoing.on('error', () => {});
    outgoing.end(MODERN_CALL);
    await until(() => upstream.arrived.length === 1);
    outgoing.destroy();
    await until(() => upstream.abandoned.length === 1);
  });

  it('leaves its call running in the legacy era, and the record is written all the same', async () => {
    const released = Promise.withResolvers<void>();
    let finished = false;
    upstream.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': working\n\n');
      await released.promise;
      response.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
      finished = true;
    });
    const { leave } = await open('POST', MCP_HEADERS, call('left-behind'));
    leave();
    await sleep(100);
    assert.equal(upstream.abandoned.length, 0);
    released.resolve();
    await until(() => finished);
    await until(() => gate.audit().some(({ target, outcome }) => target === 'left-behind' && outcome === 'cancelled'));
  });

  it('is recorded as gone when it left in the middle of a JSON answer', async () => {
    const released = Promise.withResolvers<void>();
    upstream.behave(async (_request, response) => {
      const text = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
      response.write(text.slice(0, 20));
      await released.promise;
      response.end(text.slice(20));
    });
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port: gate.port,
      path: '/files/mcp',
      method: 'POST',
      headers: { host: 'localhost', authorization, ...MCP_HEADERS },
    });
    outgoing.on('error', () => {});
    outgoing.end(call('left-mid-answer'));
    await until(() => upstream.arrived.length === 1);
    await sleep(100);
    outgoing.destroy();
    await sleep(100);
    released.resolve();
    const recorded = () => gate.audit().filter(({ target }) => target === 'left-mid-answer');
    await until(() => recorded().length > 0);
    assert.deepEqual(
      recorded().map(({ outcome, code }) => [outcome, code]),
      [['cancelled', '']],
    );
  });

  it('closes its GET stream at the server', async () => {
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
    });
    const { leave } = await open('GET', { accept: 'text/event-stream' });
    leave();
    await until(() => upstream.abandoned.length === 1);
  });

  for (const { server, name, method, recordedAs } of ABANDONED) {
    it(`leaves one record: of ${name}`, async () => {
      const opens = server === 'open-stream';
      const stored = () => gate.audit().filter((record) => record.server === server);
      upstream.behave((request, response) => {
        if (request.method === 'POST') return echoResult(request, response);
        if (opens) response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      });
      const headers = { host: 'localhost', authorization, accept: 'text/event-stream' };
      const outgoing = httpRequest({ host: '127.0.0.1', port: gate.port, path: `/${server}/mcp`, method, headers });
      const isOpen = opens ? new Promise((resolve) => outgoing.on('response', resolve)) : undefined;
      outgoing.on('error', () => {});
      outgoing.end();
      await until(() => upstream.arrived.length === 1);
      await isOpen;
      outgoing.destroy();
      await until(() => upstream.abandoned.length === 1);
      await until(() => stored().length > 0);
      // A second record of it would come before that of a later call.
      const marker = `after ${name}`;
      await send(gate.port, { path: '/files/mcp', headers: { ...MCP_HEADERS, authorization }, body: call(marker) });
      await until(() => gate.audit().some(({ target }) => target === marker));
      assert.deepEqual(
        stored().map(({ method, effect, outcome }) => [method, effect, outcome]),
        [[recordedAs, 'allow', 'cancelled']],
      );
    });
  }
});

describe('trace context', () => {
  it('takes its parent from _meta, and gives the server our own span in _meta and in the field', async () => {
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"traceparent":"${parent}","progressToken":12345678901234567890},"name":"x"}}`;
    await send(gate.port, {
      path: '/files/mcp',
      headers: { ...MCP_HEADERS, authorization, traceparent: '00-11111111111111111111111111111111-1111111111111111-01' },
      body,
    });
    const [arrived] = upstream.arrived;
    const field = String(arrived?.headers['traceparent']);
    assert.match(field, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    assert.notEqual(field, parent);
    assert.equal(arrived?.body.toString(), body.replace(parent, field));
  });
});

describe('metrics', () => {
  it('have the names of the OpenTelemetry MCP conventions, and no label that an agent or user can choose', async () => {
    await send(gate.port, { path: '/files/mcp', headers: { ...MCP_HEADERS, authorization }, body: call('x') });
    await send(gate.port, {
      path: '/files/mcp',
      headers: { ...MCP_HEADERS, authorization },
      body: '{"jsonrpc":"2.0","id":1,"method":"invented/method"}',
    });
    const text = await (await fetch(gate.adminUrl('/metrics'))).text();
    assert.match(
      text,
      /^mcp_server_operation_duration_seconds_bucket\{mcp_method_name="tools\/call",network_transport="tcp",gen_ai_tool_name="x",.*le="0\.01"\} \d/m,
    );
    assert.match(text, /^mcp_client_operation_duration_seconds_count\{/m);
    assert.match(text, /^sidegate_overhead_duration_seconds_bucket/m);
    assert.match(text, /^sidegate_messages_total\{/m);
    assert.match(text, /mcp_method_name="_other"/);
    assert.doesNotMatch(text, /invented|alice/);
  });
});

describe('SIGTERM', () => {
  it('records what was open when the sidecar stopped', async () => {
    const own = await startGate({ servers: { files: upstream.url }, policies: POLICIES, sidecarEnv: { SIDEGATE_DRAIN_MS: '200' } });
    try {
      upstream.behave(({ method }, response) => {
        if (method === 'GET') response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
      });
      const bearer = { authorization: `Bearer ${await own.token('alice')}` };
      const stream = { method: 'GET', path: '/files/mcp', headers: { ...bearer, accept: 'text/event-stream' } };
      const message = { path: '/files/mcp', headers: { ...bearer, ...MCP_HEADERS } };
      const ended = [stream, stream, { ...message, body: call('open') }, { ...message, body: `[${call('in-batch')}]` }].map((each) =>
        send(own.port, each).catch(() => undefined),
      );
      await until(() => upstream.arrived.length === ended.length);
      process.kill(own.sidecar.pid, 'SIGTERM');
      await Promise.all(ended);
      assert.equal(await own.sidecar.ended, 'code 0');
      const recorded = own.audit().map(({ method, target, outcome }) => `${method} ${target} ${outcome}`);
      assert.deepEqual(recorded.sort(), [
        'http/stream  cancelled',
        'http/stream  cancelled',
        'tools/call in-batch cancelled',
        'tools/call open cancelled',
      ]);
    } finally {
      await own.stop();
    }
  });

  it('lets an open call finish, and stops', async () => {
    const own = await startGate({ servers: { files: upstream.url }, policies: POLICIES });
    try {
      const released = Promise.withResolvers<void>();
      upstream.behave(async (request, response) => {
        await released.promise;
        await echoResult(request, response);
      });
      const headers = { ...MCP_HEADERS, authorization: `Bearer ${await own.token('alice')}` };
      const running = send(own.port, { path: '/files/mcp', headers, body: call('slow') });
      await until(() => upstream.arrived.length === 1);
      process.kill(own.sidecar.pid, 'SIGTERM');
      let readiness = '';
      for (let tries = 0; !readiness.includes('stopping'); tries += 1) {
        assert.ok(tries < 200, readiness);
        await sleep(100);
        readiness = await (await fetch(own.adminUrl('/readyz'))).text();
      }
      released.resolve();
      const answer = await running;
      assert.equal(rpcError(answer), undefined);
      assert.equal(answer.status, 200);
      assert.equal(await own.sidecar.ended, 'code 0');
      assert.equal(own.audit().filter(({ target }) => target === 'slow').length, 1);
    } finally {
      await own.stop();
    }
  });
});
