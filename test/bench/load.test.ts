import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { listen } from '../../runtime/listen.ts';
import { type LoadResult, runLoad } from './load/run-load.ts';
import { answerJson, type CallKind } from './messages.ts';

interface Call {
  readonly id: number;
  readonly params: { readonly arguments?: { readonly query: string } };
}

/** Puts a load of `kind` on a server that answers by `answer`, in one piece or in chunks. */
async function load(
  kind: CallKind,
  answer: (call: Call) => { readonly status?: number; readonly chunks: readonly string[] },
): Promise<LoadResult> {
  const server: Server = createServer(async (request, response) => {
    const { status = 200, chunks } = answer(JSON.parse(await text(request)) as Call);
    response.writeHead(status, { 'content-type': 'application/json' });
    for (const chunk of chunks) response.write(chunk);
    response.end();
  });
  const { host, port } = await listen(server, { host: '127.0.0.1', port: 0 }, 'test');
  try {
    const target = { host, port, path: '/mcp', userToken: 'token' };
    return await runLoad({ kind, target, connections: 3, maxCalls: 30, maxMs: 10_000, firstCall: 7 });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const right = ({ id, params }: Call): string => answerJson('modern', String(id), params.arguments?.query ?? '');

test('every call has another id and another argument, and right answers are counted', async () => {
  const calls = new Map<number, string>();
  const result = await load('modern', (call) => {
    calls.set(call.id, call.params.arguments?.query ?? '');
    return { chunks: [right(call)] };
  });
  assert.equal(result.calls, 30);
  assert.deepEqual(
    [...calls.keys()].sort(),
    Array.from({ length: 30 }, (_, index) => 1_000_000_007 + index),
  );
  assert.equal(new Set(calls.values()).size, 30);
  assert.ok([...calls].every(([id, query]) => query.length === 100 && query.startsWith(String(id))));
});

test('an answer in several chunks is read whole', async () => {
  const result = await load('modern', (call) => ({ chunks: [right(call).slice(0, 20), right(call).slice(20)] }));
  assert.equal(result.calls, 30);
});

const WRONG: Readonly<Record<string, (call: Call) => { readonly status?: number; readonly chunks: readonly string[] }>> = {
  'the answer to another call': ({ id, params }) => ({ chunks: [right({ id: id + 1, params })] }),
  'another argument than was sent': ({ id }) => ({ chunks: [answerJson('modern', String(id), 'q'.repeat(100))] }),
  'a JSON-RPC error': ({ id }) => ({ chunks: [`{"jsonrpc":"2.0","id":${id},"error":{"code":4030,"message":"no"}}`] }),
  'an HTTP error': (call) => ({ status: 502, chunks: [right(call)] }),
};

for (const [name, answer] of Object.entries(WRONG)) {
  test(`one wrong answer ends the load: ${name}`, async () => {
    let calls = 0;
    const faulty = (call: Call) => (++calls === 20 ? answer(call) : { chunks: [right(call)] });
    await assert.rejects(load('modern', faulty), /^Error: modern, call \d+: an(other)? answer /);
  });
}

test('a list that should be filtered and is not ends the load', async () => {
  const server = createServer(async (request, response) => {
    const { id, method } = JSON.parse(await text(request)) as { id: number; method: string };
    const { INITIALIZED } = await import('./messages.ts');
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'session' });
    response.end(method === 'initialize' ? INITIALIZED : answerJson('list', String(id), ''));
  });
  const { host, port } = await listen(server, { host: '127.0.0.1', port: 0 }, 'test');
  const order = { target: { host, port, path: '/mcp', userToken: 'token' }, connections: 1, maxCalls: 2, maxMs: 10_000, firstCall: 0 };
  try {
    assert.equal((await runLoad({ ...order, kind: 'list' })).calls, 2);
    await assert.rejects(runLoad({ ...order, kind: 'filtered' }), /another answer than expected/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
