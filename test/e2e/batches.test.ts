import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, call, MCP_HEADERS, send } from '../support/mcp-request.ts';
import { echoResult, json, startUpstream, type Upstream } from '../support/upstream.ts';

const POLICIES = `
permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"things/safe");
permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"things/other");
permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"things/recorded");
`;
const JSON_ONLY = { accept: 'application/json' };

let upstream: Upstream;
let gate: Gate;
let token: string;
before(async () => {
  upstream = await startUpstream();
  gate = await startGate({ servers: { things: upstream.url }, policies: POLICIES });
  token = await gate.token('alice');
});
after(async () => {
  await gate.stop();
  await upstream.close();
});
beforeEach(() => {
  upstream.behave(echoResult);
  upstream.arrived.length = 0;
});

function post(body: string, headers: Record<string, string> = {}): Promise<Answer> {
  return send(gate.port, { path: '/things/mcp', headers: { ...MCP_HEADERS, authorization: `Bearer ${token}`, ...headers }, body });
}

interface Response {
  readonly id: unknown;
  readonly result?: { readonly tools?: readonly { readonly name: string }[] };
  readonly error?: { readonly code: number };
}

function eventsIn({ text }: Answer): Response[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)) as Response);
}

const LIST = '{"jsonrpc":"2.0","id":"l","method":"tools/list"}';
const NOTE = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

describe('a batch of 2025-03-26', () => {
  it('is judged message by message; each allowed one arrives alone, byte for byte', async () => {
    const elements = [call('safe', { n: 12345678901234567890n.toString() }, 1), call('danger', {}, 2), NOTE, call('other', {}, 'three')];
    const answer = await post(`[ ${elements.join(' ,\n ')} ]`, JSON_ONLY);
    assert.equal(answer.status, 200);
    const answers = JSON.parse(answer.text) as Response[];
    assert.deepEqual(
      answers.map(({ id, error }) => [id, error?.code]),
      [
        [1, undefined],
        [2, 4030],
        ['three', undefined],
      ],
    );
    const arrived = upstream.arrived.map(({ body }) => body.toString().trim()).sort();
    assert.deepEqual(arrived, [elements[0], elements[2], elements[3]].sort());
  });

  it('is answered as events where the client takes them, each as soon as it is there', async () => {
    upstream.behave((request, response) => {
      const { id, method } = JSON.parse(request.body.toString()) as { id: unknown; method: string };
      if (method !== 'tools/list') return json(response, { jsonrpc: '2.0', id, result: {} });
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(
        `: hello\n\nid: 7\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}\n\nid: 8\ndata: {"jsonrpc":"2.0","id":"l","result":{"tools":[{"name":"safe"},{"name":"danger"}]}}\n\n`,
      );
    });
    const answer = await post(`[${LIST},${call('safe')},${call('danger', {}, 2)}]`);
    assert.match(String(answer.headers['content-type']), /^text\/event-stream/);
    const events = eventsIn(answer);
    assert.equal(events.length, 4);
    assert.deepEqual(events.find(({ id }) => id === 'l')?.result?.tools, [{ name: 'safe' }]);
    assert.equal(events.find(({ id }) => id === 2)?.error?.code, 4030);
    assert.ok(!answer.text.includes('danger"'), 'a hidden name came out');
    assert.ok(!/^id:/m.test(answer.text), 'a stream of many answers cannot be resumed as one of them');
  });

  it('leaves one record for each of its messages', async () => {
    const note = '{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}';
    await post(`[${call('recorded')},${call('recorded-denied', {}, 2)},${note}]`, JSON_ONLY);
    const records = () => gate.audit().filter(({ method, target }) => target.startsWith('recorded') || method.includes('roots'));
    for (let tries = 0; records().length < 3 && tries < 400; tries += 1) await sleep(50);
    assert.deepEqual(
      records()
        .map(({ target, outcome }) => `${target} ${outcome}`)
        .sort(),
      [' ok', 'recorded ok', 'recorded-denied denied'],
    );
  });

  it('of notifications alone is accepted, or refused as one of them is', async () => {
    upstream.behave((_request, response) => void response.writeHead(202).end());
    assert.equal((await post(`[${NOTE},${NOTE}]`)).status, 202);
    const forbidden = '{"jsonrpc":"2.0","method":"notifications/unheard-of"}';
    assert.equal((await post(`[${NOTE},${forbidden}]`)).status, 403);
    assert.equal(upstream.arrived.filter(({ body }) => body.includes('unheard-of')).length, 0);
  });

  it('has each message that cannot be read refused by itself', async () => {
    const twoNames = '{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"Name":"danger","name":"safe"}}';
    const answer = await post(`[1,${twoNames},${call('safe', {}, 9)}]`, JSON_ONLY);
    const answers = JSON.parse(answer.text) as Response[];
    assert.deepEqual(
      answers.map(({ id, error }) => [id, error?.code]),
      [
        [null, -32600],
        [5, -32600],
        [9, undefined],
      ],
    );
    assert.equal(upstream.arrived.length, 1);
  });

  it('says with its status that the session has ended', async () => {
    const answer = await post(`[${call('safe')},${LIST}]`, { 'mcp-session-id': 'of-somebody-else' });
    assert.equal(answer.status, 404);
    assert.equal((JSON.parse(answer.text) as unknown[]).length, 2);
    assert.equal(upstream.arrived.length, 0);
  });

  it('takes no answer to another request for its own', async () => {
    upstream.behave((request, response) => {
      const { id } = JSON.parse(request.body.toString()) as { id: unknown };
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(
        `data: {"jsonrpc":"2.0","id":77,"result":{"stray":true}}\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result: {} })}\n\n`,
      );
    });
    const answer = await post(`[${call('safe')},${call('other', {}, 'two')}]`, JSON_ONLY);
    assert.deepEqual(
      (JSON.parse(answer.text) as Response[]).map(({ id }) => id),
      [1, 'two'],
    );
  });

  it('tells of an answer that broke off', async () => {
    upstream.behave((request, response) => {
      if (!request.body.includes('other')) return echoResult(request, response);
      response.destroy();
    });
    for (const headers of [{}, JSON_ONLY]) {
      const answer = await post(`[${call('other')},${call('safe', {}, 2)}]`, headers);
      const answers = 'accept' in headers ? (JSON.parse(answer.text) as Response[]) : eventsIn(answer);
      assert.equal(answers.find(({ id }) => id === 1)?.error?.code, 5020);
      assert.ok(answers.find(({ id }) => id === 2)?.result);
    }
  });

  it('leaves one record for each of its notifications when the agent goes away', async () => {
    const released = Promise.withResolvers<void>();
    upstream.behave(async (_request, response) => {
      await released.promise;
      response.writeHead(202).end();
    });
    const faults = () => gate.audit().filter(({ code }) => code === 'internal').length;
    const outgoing = request({
      host: '127.0.0.1',
      port: gate.port,
      path: '/things/mcp',
      method: 'POST',
      headers: { host: 'localhost', authorization: `Bearer ${token}`, ...MCP_HEADERS },
    });
    outgoing.on('error', () => {});
    outgoing.end(`[${NOTE},${NOTE.replace('initialized', 'roots/list_changed')}]`);
    while (upstream.arrived.length < 2) await sleep(10);
    outgoing.destroy();
    await sleep(200);
    released.resolve();
    const notes = () => gate.audit().filter(({ outcome, method }) => outcome === 'cancelled' && method.startsWith('notifications/'));
    while (notes().length < 2) await sleep(10);
    await post(call('safe', {}, 'after'));
    await sleep(300);
    assert.equal(faults(), 0);
    assert.deepEqual(
      notes()
        .map(({ method }) => method)
        .sort(),
      ['notifications/initialized', 'notifications/roots/list_changed'],
    );
  });

  for (const [name, body, headers] of [
    ['with nothing in it', '[]', {}],
    ['with another in it', `[${call('safe')},[${call('other', {}, 2)}]]`, {}],
    ['that is not JSON', `[${call('safe')},`, {}],
    ['with a doubled key', `[${call('safe')},{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}]`, {}],
    ['with a doubled id', `[${call('safe')},${call('other')}]`, {}],
    ['with initialize', `[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}]`, {}],
    ['with too many messages', `[${Array.from({ length: 101 }, (_, id) => call('safe', {}, id)).join()}]`, {}],
    ['of a later revision', `[${call('safe')}]`, { 'mcp-protocol-version': '2025-06-18' }],
    ['of a modern client', `[${call('safe')}]`, { 'mcp-protocol-version': '2026-07-28' }],
    ['after a byte order mark', `\uFEFF[${call('safe')}]`, {}],
  ] as const) {
    it(`is refused whole ${name}`, async () => {
      const answer = await post(body, headers);
      assert.equal(answer.status, 400);
      assert.ok((JSON.parse(answer.text) as Response).error);
      assert.equal(upstream.arrived.length, 0);
    });
  }
});
