import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { call, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { echoResult, startUpstream, type Upstream } from '../support/upstream.ts';

const STREAMS = 1_000;
const MEBIBYTE = 1_048_576;

let upstream: Upstream;
let gate: Gate;
let authorization: string;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({
    servers: { files: upstream.url },
    policies: 'permit (principal, action == Action::"CallUndeclaredTool", resource in Server::"files");',
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
});

/** Memory of the sidecar's process in bytes; undefined where the system does not tell. */
function sidecarMemory(): number | undefined {
  const file = `/proc/${gate.sidecar.pid}/status`;
  if (!existsSync(file)) return undefined;
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(file, 'utf8'))?.[1]) * 1_024;
}

/** Opens the legacy GET stream; `name` is how the server tells it from others. */
function openStream(name: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'localhost', authorization, accept: 'text/event-stream', 'last-event-id': name };
    const outgoing = httpRequest({ host: '127.0.0.1', port: gate.port, path: '/files/mcp', headers, agent: false });
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    assert.ok(tries < 6_000, 'in time');
    await sleep(10);
  }
}

describe(`${STREAMS} streams on which nothing happens`, () => {
  it('stay open at once, each gets its own event and sign of life, and none costs much', async () => {
    const atServer = new Map<string, ServerResponse>();
    upstream.behave((request, response) => {
      if (request.method !== 'GET') return echoResult(request, response);
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      atServer.set(String(request.headers['last-event-id']), response);
    });
    const memoryBefore = sidecarMemory();
    const received = new Map<string, string>();
    const streams: IncomingMessage[] = [];
    let ended = 0;
    for (let index = 0; index < STREAMS; index += 1) {
      const name = `stream-${index}`;
      const stream = await openStream(name);
      received.set(name, '');
      stream.on('data', (chunk: Buffer) => received.set(name, received.get(name) + chunk.toString()));
      stream.on('close', () => {
        ended += 1;
      });
      stream.on('error', () => {});
      streams.push(stream);
    }
    assert.equal(atServer.size, STREAMS);
    const memoryAfter = sidecarMemory();
    if (memoryBefore !== undefined && memoryAfter !== undefined) {
      const each = (memoryAfter - memoryBefore) / STREAMS;
      assert.ok(each < 256 * 1_024, `${Math.round(each / 1_024)} KiB a stream`);
    }

    // The sidecar still answers calls beside them.
    const answer = await send(gate.port, { path: '/files/mcp', headers: { ...MCP_HEADERS, authorization }, body: call('x') });
    assert.equal(rpcError(answer), undefined);

    const ownEvent = (name: string) => `id: 1\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":"${name}"}}\n\n`;
    // A comment keeps the connection alive; its text, which clients drop, stays with the server.
    const signOfLife = ':\n\n';
    for (const response of atServer.values()) response.write(': still here\n\n');
    await until(() => [...received.values()].every((text) => text === signOfLife));
    for (const [name, response] of atServer) response.write(ownEvent(name));
    await until(() => [...received].every(([name, text]) => text === signOfLife + ownEvent(name)));
    assert.equal(ended, 0, 'all are still open');
    for (const stream of streams) stream.destroy();
    await until(() => upstream.abandoned.length === STREAMS);
  });
});

describe('a reader that does not read', () => {
  it('holds up its server, and 200 MB pass through without being held in memory', async () => {
    const total = 200 * MEBIBYTE;
    const event = Buffer.from(
      `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(65_000) } })}\n\n`,
    );
    let sent = 0;
    upstream.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      while (sent < total && !response.destroyed) {
        sent += event.length;
        if (!response.write(event)) await new Promise((resolve) => response.once('drain', resolve));
      }
      response.end();
    });
    const memoryBefore = sidecarMemory() ?? 0;
    let highest = 0;
    const response = await openStream('slow');
    // Until the server has been held up for a while.
    for (let last = -1; last !== sent; ) {
      last = sent;
      await sleep(300);
    }
    assert.ok(sent < total / 4, `the server ran ahead by ${sent} bytes`);
    let received = 0;
    for await (const chunk of response) {
      received += (chunk as Buffer).length;
      highest = Math.max(highest, received % (8 * MEBIBYTE) < 65_536 ? (sidecarMemory() ?? 0) : 0);
    }
    assert.equal(received, sent);
    assert.ok(received >= total);
    assert.ok(highest - memoryBefore < total / 2, `the sidecar grew by ${Math.round((highest - memoryBefore) / MEBIBYTE)} MiB`);
  });
});

describe('a call is never sent twice', () => {
  const post = () => send(gate.port, { path: '/files/mcp', headers: { ...MCP_HEADERS, authorization }, body: call('once') });

  it('when the server resets the connection after it has read the message, a new connection or one in use before', async () => {
    assert.equal(rpcError(await post()), undefined);
    for (let tries = 0; tries < 5; tries += 1) {
      upstream.behave((_request, response) => void response.socket?.resetAndDestroy());
      upstream.arrived.length = 0;
      assert.equal(rpcError(await post())?.code, 5020);
      assert.equal(upstream.arrived.length, 1);
      upstream.behave(echoResult);
      assert.equal(rpcError(await post()), undefined);
      assert.equal(upstream.arrived.length, 2);
    }
  });

  it('when the answer breaks off, before or after its first event', async () => {
    for (const beginning of [
      '',
      ': working\n\n',
      'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}\n\n',
    ]) {
      upstream.arrived.length = 0;
      upstream.behave((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        response.write(beginning, () => response.socket?.resetAndDestroy());
      });
      assert.match((await post()).text, /"code":5020/);
      assert.equal(upstream.arrived.length, 1);
    }
  });

  it('when the server says to try again', async () => {
    for (const status of [408, 425, 429, 500, 502, 503, 504]) {
      upstream.arrived.length = 0;
      upstream.behave(
        (_request, response) => void response.writeHead(status, { 'retry-after': '0', 'content-type': 'text/plain' }).end('again'),
      );
      assert.equal((await post()).status, status);
      assert.equal(upstream.arrived.length, 1);
    }
  });
});
