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
    sidecarEnv: { SIDEGATE_DECISION_TIMEOUT_MS: '2000' },
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

async function until(condition: () => Promise<boolean>, limitMs: number): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    assert.ok(performance.now() - start < limitMs, `not within ${limitMs} ms`);
    await sleep(20);
  }
}

async function readiness(): Promise<string> {
  return (await fetch(gate.adminUrl('/readyz'))).text();
}

describe('a bundle that changes', () => {
  it('takes effect by itself, for decisions that are cached too', async () => {
    assert.equal(await tryCall('a'), undefined);
    assert.equal((await tryCall('d'))?.code, 4030);
    gate.writeBundleFile('policies/policies.cedar', permit('b') + permit('c') + permit('d'));
    await until(async () => (await tryCall('a'))?.code === 4030, 20_000);
    assert.equal(await tryCall('d'), undefined);
  });

  it('is refused whole when it is broken, with file and line, and the running one stays', async () => {
    gate.writeBundleFile(
      'policies/policies.cedar',
      `${permit('b')}\npermit (principal, action, resource) when { context.nothing == 1 };\n`,
    );
    const log = async () => (await import('node:fs/promises')).readFile(gate.policyService().logFile, 'utf8');
    await until(async () => /policies\/policies\.cedar/.test(await log()), 20_000);
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
    await until(async () => (await status()) === 200, 20_000);
    (await import('node:fs')).rmSync(`${gate.bundleDir}/servers/more.yaml`);
    await until(async () => (await status()) === 404, 20_000);
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
    let lastAllowedAfter = 0;
    const isAllowed = async () => {
      const sentAfter = performance.now() - stopped;
      if ((await tryCall('b'))?.code === 5030) return false;
      lastAllowedAfter = sentAfter;
      return true;
    };
    await until(async () => !(await isAllowed()), 20_000);
    assert.ok(lastAllowedAfter <= 6_000, `allowed after ${lastAllowedAfter} ms`);
    assert.equal((await tryCall('forbidden'))?.code, 4030, 'a denial stays');
    assert.match(await readiness(), /^not ready: no connection to the policy service at localhost:\d+: /);
    assert.equal((await fetch(gate.adminUrl('/healthz'))).status, 200);
  });

  it('is found again by itself, without a restart', async () => {
    await gate.startPolicyService();
    await until(async () => (await tryCall('c')) === undefined, 20_000);
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
    await until(async () => targets().has('b') && targets().has('c'), 20_000);
  });

  it('that hangs does not hang the call: a denial comes in time', async () => {
    const { pid } = gate.policyService();
    process.kill(pid, 'SIGSTOP');
    try {
      const start = performance.now();
      assert.equal((await tryCall('e'))?.code, 5030);
      assert.ok(performance.now() - start < 20_000);
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
    await until(async () => upstream.arrived.at(-1)?.body.includes('"c"') ?? false, 20_000);
    process.kill(gate.policyService().pid, 'SIGKILL');
    await sleep(50);
    released.resolve();
    assert.equal(await running, undefined);
  });
});
