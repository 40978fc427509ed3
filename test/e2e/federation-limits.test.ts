import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { type FederatedGate, INITIALIZE, rpc, startFederatedGate, until } from '../support/federated-gate.ts';
import type { ScriptedServer } from '../support/scripted-server.ts';

const POLICIES = 'permit (principal, action == Action::"CallUndeclaredTool", resource);';
const MAX_BYTES = 131_072;

let to: FederatedGate;
let slow: ScriptedServer;

before(async () => {
  to = await startFederatedGate(['alpha', 'beta', 'slow'], {
    policies: POLICIES,
    sidecarEnv: {
      SIDEGATE_FEDERATION_TIMEOUT_MS: '3000',
      SIDEGATE_FEDERATION_MAX_SESSIONS: '2',
      SIDEGATE_FEDERATION_IDLE_MS: '60000',
      SIDEGATE_UPSTREAM_TIMEOUT_MS: '3000',
      SIDEGATE_MAX_BODY_BYTES: String(MAX_BYTES),
    },
  });
  slow = to.servers['slow'] as ScriptedServer;
});
after(() => to.stop());

const names = (answer: Parameters<typeof rpc>[0]) => (rpc(answer).result.tools as { name: string }[]).map(({ name }) => name);
const toolsOf = (prefix: string, count: number, length: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `${prefix}${index}`, description: 'x'.repeat(length) }));

/** Asks until the answer is the one that a server which is merely slow today cannot keep away. */
async function untilListed(ask: () => ReturnType<FederatedGate['post']>, want: readonly string[]): Promise<ReturnType<typeof rpc>> {
  for (let tries = 0; tries < 20; tries += 1) {
    const answer = await ask();
    if (names(answer).join() === want.join()) return rpc(answer);
  }
  throw new Error(`never ${want.join()}`);
}

describe('a server that never answers', () => {
  it('does not keep the others from being listed, in either era', async () => {
    const session = await to.initialize();
    const want = ['alpha.open', 'alpha.hidden', 'beta.open', 'beta.hidden'];
    slow.hang(true);
    try {
      for (const ask of [() => to.modern('tools/list'), () => to.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, { session })]) {
        const { result } = await untilListed(ask, want);
        assert.equal(result._meta['sidegate/unavailable'], 1);
      }
      assert.ok(rpc(await to.modern('server/discover')).result);
      assert.equal((await to.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { session: await to.initialize() })).status, 200);
    } finally {
      slow.hang(false);
    }
    await untilListed(() => to.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, { session }), [...want, 'slow.open', 'slow.hidden']);
  });
});

describe('lists that are too long for one answer', () => {
  it('come in several pages, none of them too large', async () => {
    for (const name of ['alpha', 'beta', 'slow']) to.servers[name]?.results.set('tools/list', { tools: toolsOf(name, 40, 2_000) });
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const answer = await to.modern('tools/list', cursor === undefined ? {} : { cursor });
      assert.ok(answer.text.length < MAX_BYTES * 1.5, String(answer.text.length));
      pages.push(names(answer));
      cursor = rpc(answer).result.nextCursor;
    } while (cursor !== undefined);
    assert.deepEqual(
      pages.map((page) => [page.length, page[0]]),
      [
        [40, 'alpha.alpha0'],
        [40, 'beta.beta0'],
        [40, 'slow.slow0'],
      ],
    );
  });

  it('leave out a server whose list alone is too long', async () => {
    to.servers['alpha']?.results.set('tools/list', { tools: toolsOf('alpha', 100, 2_000) });
    for (const name of ['beta', 'slow']) to.servers[name]?.results.set('tools/list', { tools: [{ name: 'open' }] });
    const { result } = await untilListed(() => to.modern('tools/list'), ['beta.open', 'slow.open']);
    assert.equal(result._meta['sidegate/unavailable'], 1);
  });

  it('do not follow a cursor that fits nowhere', async () => {
    to.servers['alpha']?.results.set('tools/list', { tools: [{ name: 'open' }], nextCursor: 'c'.repeat(5_000) });
    const { result } = await untilListed(() => to.modern('tools/list'), ['alpha.open', 'beta.open', 'slow.open']);
    assert.equal(result.nextCursor, undefined);
    assert.equal(result._meta['sidegate/unavailable'], 1);
  });
});

describe('sessions', () => {
  it('are kept up to a number: the one that was unused for longest makes room', async () => {
    const ping = (session: string) => to.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { session });
    const [first, second] = [await to.initialize(), await to.initialize()];
    assert.equal((await ping(first)).status, 200);
    const third = await to.initialize();
    assert.deepEqual(await Promise.all([first, second, third].map(async (session) => (await ping(session)).status)), [200, 404, 200]);
  });

  it('say of their agent no more than is to be kept as long as they are', async () => {
    const params = { ...INITIALIZE.params, clientInfo: { name: 'x'.repeat(66_000), version: '1' } };
    const answer = await to.post({ ...INITIALIZE, params }, {});
    assert.deepEqual([answer.status, answer.headers['mcp-session-id']], [413, undefined]);
  });

  it('wait for no server any more when they have ended', async () => {
    const open = new Set<ServerResponse>();
    slow.results.set('initialize', (_message: unknown, response: ServerResponse) => {
      open.add(response);
      response.on('close', () => open.delete(response));
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
    });
    try {
      const opening = [to.initialize(), to.initialize(), to.initialize(), to.initialize()];
      await until(() => open.size === 4);
      await Promise.all(opening);
      await until(() => open.size === 2);
    } finally {
      slow.results.delete('initialize');
      for (const response of open) response.destroy();
    }
  });

  it('are not pushed out by those of another user, who has more', async () => {
    const [carol, dave] = await Promise.all(['carol', 'dave'].map((user) => to.gate.token(user)));
    const ping = (session: string, token = '') => to.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { session, token });
    const flood = async (count: number) => {
      for (let opened = 0; opened < count; opened += 1) await to.initialize({ token: dave ?? '' });
    };
    await flood(2);
    const session = await to.initialize({ token: carol ?? '' });
    await flood(4);
    assert.equal((await ping(session, carol)).status, 200);
  });
});

describe('a sidecar whose sessions end when they are not used', () => {
  it('ends them', async () => {
    const idle = await startFederatedGate(['alpha'], { policies: POLICIES, sidecarEnv: { SIDEGATE_FEDERATION_IDLE_MS: '100' } });
    try {
      const session = await idle.initialize();
      let status = 200;
      for (let tries = 0; status === 200 && tries < 50; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        status = (await idle.post({ jsonrpc: '2.0', id: 1, method: 'ping' }, { session })).status;
      }
      assert.equal(status, 404);
    } finally {
      await idle.stop();
    }
  });
});
