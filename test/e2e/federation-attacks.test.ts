import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type FederatedGate, MODERN_META, rpc, startFederatedGate, until } from '../support/federated-gate.ts';
import { type OpenStream, openStream } from '../support/open-stream.ts';
import type { Message, ScriptedServer } from '../support/scripted-server.ts';

const POLICIES = `
permit (principal, action == Action::"CallUndeclaredTool", resource) unless { resource.name == "hidden" };
`;

let to: FederatedGate;
let alpha: ScriptedServer;
let beta: ScriptedServer;

before(async () => {
  to = await startFederatedGate(['alpha', 'beta'], { policies: POLICIES });
  ({ alpha, beta } = to.servers as { alpha: ScriptedServer; beta: ScriptedServer });
});
after(() => to.stop());
beforeEach(() => {
  for (const server of [alpha, beta]) {
    server.results.set('tools/call', { content: [] });
    server.arrived.length = 0;
  }
});

const FORGED = { content: [{ type: 'text', text: 'forged' }] };
const call = (name: string, id: unknown, params = {}) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, ...params } });
const answer = (id: unknown, result: unknown = FORGED) => ({ jsonrpc: '2.0', id, result });
const progress = (progressToken: unknown) => ({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 1 } });

function events(response: ServerResponse, messages: readonly unknown[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const message of messages) response.write(`data: ${JSON.stringify(message)}\n\n`);
}

function stream(session: string, headers: Record<string, string> = {}): OpenStream {
  const authorization = `Bearer ${to.alice}`;
  return openStream(to.gate.port, {
    path: '/mcp',
    headers: { authorization, accept: 'text/event-stream', 'mcp-session-id': session, ...headers },
  });
}

/** Has beta hold its call; returns how to let it go. */
function held(server: ScriptedServer): { readonly calls: ServerResponse[]; go(): void } {
  const calls: ServerResponse[] = [];
  server.results.set('tools/call', (_message: unknown, response: ServerResponse) => void calls.push(response));
  return {
    calls,
    go() {
      for (const response of calls.splice(0)) response.destroy();
    },
  };
}

describe('a server that answers what another was asked', () => {
  it('is not heard on the stream of its own call', async () => {
    const session = await to.initialize();
    const ofBeta = held(beta);
    const waiting = to.post(call('beta.open', 77), { session });
    await until(() => ofBeta.calls.length === 1);
    alpha.results.set('tools/call', ({ id }: Message, response: ServerResponse) => {
      events(response, [answer(77), progress(9), answer(id, { content: [] })]);
      response.end();
    });
    const { text } = await to.post(call('alpha.open', 78), { session });
    assert.doesNotMatch(text, /forged/);
    assert.match(text, /"id":78,/);
    ofBeta.go();
    await waiting;
  });

  it('is not heard in the modern era either', async () => {
    alpha.results.set('tools/call', ({ id }: Message, response: ServerResponse) => {
      events(response, [
        answer(77),
        answer(String(id)),
        progress('other'),
        progress('mine'),
        answer(id, { resultType: 'complete', content: [] }),
      ]);
      response.end();
    });
    const body = call('alpha.open', 1, { _meta: { ...MODERN_META, progressToken: 'mine' } });
    const { text } = await to.post(body, {
      headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'alpha.open' },
    });
    assert.doesNotMatch(text, /forged|other/);
    assert.match(text, /mine/);
    assert.match(text, /"id":1,/);
  });

  it('is not heard on the stream for what servers say by themselves', async () => {
    const session = await to.initialize();
    const ofBeta = held(beta);
    const waiting = to.post(call('beta.open', 77, { _meta: { progressToken: 5 } }), { session });
    await until(() => ofBeta.calls.length === 1);
    const all = stream(session);
    await until(() => alpha.streams.size === 1 && beta.streams.size === 1);
    alpha.say(answer(77));
    alpha.say(progress(5));
    alpha.say(progress(6));
    beta.say(progress(5));
    beta.say(progress(7));
    await until(() => all.text().includes('"progressToken":7'));
    await until(() => all.text().includes('"progressToken":6'));
    assert.doesNotMatch(all.text(), /forged/);
    assert.equal(all.text().match(/"progressToken":5,/g)?.length, 1);
    all.close();
    ofBeta.go();
    await waiting;
  });

  it('is not heard on a stream that is resumed, whether the other still answers or broke off', async () => {
    const session = await to.initialize();
    const ofBeta = held(beta);
    const waiting = to.post(call('beta.open', 77), { session });
    await until(() => ofBeta.calls.length === 1);
    beta.results.set('tools/call', (_message: unknown, response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end('id: b1\ndata: \n\n');
    });
    await to.post(call('beta.open', 79), { session });
    alpha.results.set('tools/call', (_message: unknown, response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end('id: a1\ndata: \n\n');
    });
    await to.post(call('alpha.open', 78), { session });
    const resumed = stream(session, { 'last-event-id': 'alpha.a1' });
    await until(() => alpha.streams.size === 1);
    for (const id of [77, 79]) alpha.say(answer(id));
    alpha.say(answer(78, { content: [] }));
    await until(() => resumed.messages().length >= 1 && resumed.text().includes('"id":78'));
    assert.doesNotMatch(resumed.text(), /forged/);
    resumed.close();
    ofBeta.go();
    await waiting;
  });
});

describe('a server that answers a list and goes on speaking', () => {
  it('is left', async () => {
    const open = new Set<ServerResponse>();
    alpha.results.set('tools/list', ({ id }: Message, response: ServerResponse) => {
      open.add(response);
      response.on('close', () => open.delete(response));
      events(response, [answer(id, { resultType: 'complete', tools: [{ name: 'open' }], ttlMs: 0 })]);
    });
    try {
      const { result } = rpc(await to.modern('tools/list'));
      assert.equal(result.tools[0].name, 'alpha.open');
      assert.equal(result._meta['sidegate/unavailable'], undefined);
      await until(() => open.size === 0);
    } finally {
      for (const response of open) response.destroy();
    }
  });
});
