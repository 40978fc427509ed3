import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answers, type RunningChild, startChild } from '../../examples/quick-start/child-process.ts';
import { choosePorts } from '../../examples/quick-start/ports.ts';
import { call, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { type RecordingPolicyService, startRecordingPolicyService } from '../support/recording-policy-service.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

const SIDEGATE = join(import.meta.dirname, '../../bin/sidegate.ts');
const KEEPS = { setHeaders: [], removeHeaders: ['cookie', 'proxy-authorization', 'x-api-key'], credential: 'agent' };

let upstream: Upstream;
let policy: RecordingPolicyService;
let sidecar: RunningChild;
let port: number;
const directory = mkdtempSync(join(tmpdir(), 'sidegate-unseen-'));

before(async () => {
  upstream = await startUpstream();
  policy = await startRecordingPolicyService([
    {
      name: 'own',
      url: upstream.url,
      transport: 'streamable-http',
      stdio: null,
      instructions: 'judge',
      tools: [],
      agentCredential: true,
      bridgeTo: '',
    },
  ]);
  const ports = await choosePorts('auto');
  port = ports.agent;
  writeFileSync(join(directory, 'token'), 'the-workload-token');
  sidecar = await startChild({
    name: 'sidecar',
    args: [SIDEGATE, 'sidecar'],
    env: {
      SIDEGATE_LISTEN: `127.0.0.1:${ports.agent}`,
      SIDEGATE_ADMIN_LISTEN: `127.0.0.1:${ports.sidecarAdmin}`,
      SIDEGATE_POLICY_ADDRESS: `localhost:${policy.port}`,
      SIDEGATE_POLICY_CA_PEM: policy.caPem,
      SIDEGATE_WORKLOAD_TOKEN_FILE: join(directory, 'token'),
    },
    logFile: join(directory, 'sidecar.log'),
    ready: answers(`http://127.0.0.1:${ports.sidecarAdmin}/readyz`, 200),
  });
});

after(async () => {
  await sidecar.stop();
  policy.close();
  await upstream.close();
  rmSync(directory, { recursive: true });
});

function post(path: string, name: string) {
  const credentials = { authorization: 'Bearer agents-own', dpop: 'agents-proof', 'proxy-authorization': 'Bearer users-token' };
  const { host } = new URL(path, `http://localhost:${port}`);
  return send(port, { path, body: call(name), headers: { ...MCP_HEADERS, host, ...credentials } });
}

it('the policy service is shown the user’s token, and never the agent’s credential', async () => {
  policy.oblige(KEEPS);
  assert.equal(rpcError(await post(upstream.url, 'first')), undefined);
  const { headers } = upstream.arrived[0] ?? {};
  assert.deepEqual([headers?.authorization, headers?.['dpop']], ['Bearer agents-own', 'agents-proof']);
  upstream.behave((request, response) => void response.writeHead(401).end(String(request.headers.authorization)));
  assert.equal((await post(upstream.url, 'second')).status, 401);
  // One that goes astray is refused before anybody is asked.
  assert.equal(rpcError(await post('/own/mcp', 'third'))?.code, 4030);
  assert.equal(upstream.arrived.length, 2);
  const isTold = () => ['first', 'second'].every((name) => policy.received().includes(`"target":"${name}"`));
  for (let tries = 0; tries < 1_000 && !(isTold() && policy.received().includes('capture_required')); tries += 1) await sleep(25);
  const received = policy.received();
  assert.ok(isTold() && received.includes('capture_required'), 'all three have left their records');
  assert.match(received, /the-workload-token/);
  assert.match(received, /"users-token"/);
  assert.doesNotMatch(received, /agents-own|agents-proof/);
});

it('what the policy service takes away, and what it sets, counts for more than what the sidecar knew of the server', async () => {
  policy.oblige({
    setHeaders: [{ name: 'authorization', value: 'Bearer granted' }],
    removeHeaders: ['authorization', 'cookie', 'dpop', 'proxy-authorization', 'x-api-key'],
    credential: 'file:alice',
  });
  await post(upstream.url, 'fourth');
  const { headers } = upstream.arrived.at(-1) ?? {};
  assert.deepEqual([headers?.authorization, headers?.['dpop'], headers?.['proxy-authorization']], ['Bearer granted', undefined, undefined]);
});
