import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { call, MCP_HEADERS, type RpcError, rpcError, send } from '../support/mcp-request.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

const permit = (tool: string) =>
  `@id("allow-${tool}")\npermit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"files/${tool}");\n`;

let upstream: Upstream;
let gate: Gate;
let token: string;

before(async () => {
  upstream = await startUpstream();
  gate = await startGate({
    servers: { files: upstream.url },
    policies: permit('a') + permit('b') + permit('c'),
    // Here it is the time limit that is looked at.
    sidecarEnv: { SIDEGATE_DECISION_TIMEOUT_MS: '500' },
  });
  token = await gate.token('alice');
});

after(async () => {
  await gate.stop();
  await upstream.close();
});

async function tryCall(tool: string): Promise<RpcError | undefined> {
  return rpcError(
    await send(gate.port, { path: '/files/mcp', headers: { ...MCP_HEADERS, authorization: `Bearer ${token}` }, body: call(tool) }),
  );
}

/** Time until `condition` holds, in milliseconds. */
async function timeUntil(condition: () => Promise<boolean>, limitMs: number): Promise<number> {
  const start = performance.now();
  while (!(await condition())) {
    assert.ok(performance.now() - start < limitMs, `not within ${limitMs} ms`);
    await sleep(20);
  }
  return performance.now() - start;
}

async function readiness(): Promise<string> {
  return (await fetch(gate.adminUrl('/readyz'))).text();
}

describe('a bundle that changes', () => {
  it('takes effect within a second, for decisions that are cached too', async () => {
    assert.equal(await tryCall('a'), undefined);
    assert.equal((await tryCall('d'))?.code, 4030);
    gate.writeBundleFile('policies/policies.cedar', permit('b') + permit('c') + permit('d'));
    await timeUntil(async () => (await tryCall('a'))?.code === 4030, 1_000);
    assert.equal(await tryCall('d'), undefined);
  });

  it('is refused whole when it is broken, with file and line, and the running one stays', async () => {
    gate.writeBundleFile(
      'policies/policies.cedar',
      `${permit('b')}\npermit (principal, action, resource) when { context.nothing == 1 };\n`,
    );
    const log = async () => (await import('node:fs/promises')).readFile(gate.policyService().logFile, 'utf8');
    await timeUntil(async () => /policies\/policies\.cedar/.test(await log()), 3_000);
    const line = (await log()).split('\n').find((text) => text.includes('policies/policies.cedar')) ?? '';
    assert.match(line, /"line":4|:4\b/);
    assert.equal(await tryCall('d'), undefined);
    gate.writeBundleFile('policies/policies.cedar', permit('b') + permit('c') + permit('d'));
  });

  it('routes to a server that is added, and no longer to one that is removed', async () => {
    gate.writeBundleFile(
      'servers/more.yaml',
      `name: more\nurl: ${upstream.url}\ntransport: streamable-http\ncredential: {strategy: none}\n`,
    );
    const status = async () =>
      (await send(gate.port, { path: '/more/mcp', headers: { ...MCP_HEADERS, authorization: `Bearer ${token}` }, body: call('x') })).status;
    await timeUntil(async () => (await status()) === 200, 1_000);
    (await import('node:fs')).rmSync(`${gate.bundleDir}/servers/more.yaml`);
    await timeUntil(async () => (await status()) === 404, 1_000);
  });
});

describe('a policy service that is away', () => {
  it('leaves what is cached for as long as the lease, allows nothing new at once, and nothing at all after 6 s', async () => {
    assert.equal(await tryCall('b'), undefined);
    assert.equal((await tryCall('forbidden'))?.code, 4030);
    process.kill(gate.policyService().pid, 'SIGKILL');
    await gate.policyService().ended;
    const stopped = performance.now();
    assert.equal((await tryCall('c'))?.code, 5030, 'nothing that was not decided yet');
    await timeUntil(async () => (await tryCall('b'))?.code === 5030, 6_500);
    assert.ok(performance.now() - stopped < 6_500);
    assert.equal((await tryCall('forbidden'))?.code, 4030, 'a denial stays');
    assert.match(await readiness(), /^not ready: no connection to the policy service at localhost:\d+: /);
    assert.equal((await fetch(gate.adminUrl('/healthz'))).status, 200);
  });

  it('is found again within 2 s, without a restart', async () => {
    await gate.startPolicyService();
    const ms = await timeUntil(async () => (await tryCall('c')) === undefined, 2_000);
    assert.ok(ms < 2_000);
    assert.equal(await readiness(), 'ready\n');
  });

  it('gets the audit records of the time when it was away', async () => {
    const targets = () =>
      new Set(
        gate
          .audit()
          .filter(({ rpcCode }) => rpcCode === 5030)
          .map(({ target }) => target),
      );
    await timeUntil(async () => targets().has('b') && targets().has('c'), 3_000);
  });

  it('that hangs does not hang the call: a denial comes in time', async () => {
    const { pid } = gate.policyService();
    process.kill(pid, 'SIGSTOP');
    try {
      const start = performance.now();
      assert.equal((await tryCall('e'))?.code, 5030);
      assert.ok(performance.now() - start < 1_500);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  it('that is killed in the middle of a call lets the call finish', async () => {
    const released = Promise.withResolvers<void>();
    upstream.behave(async (request, response) => {
      await released.promise;
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(`{"jsonrpc":"2.0","id":${JSON.parse(request.body.toString()).id},"result":{}}`);
    });
    const running = tryCall('c');
    await timeUntil(async () => upstream.arrived.at(-1)?.body.includes('"c"') ?? false, 2_000);
    process.kill(gate.policyService().pid, 'SIGKILL');
    await sleep(50);
    released.resolve();
    assert.equal(await running, undefined);
  });
});
