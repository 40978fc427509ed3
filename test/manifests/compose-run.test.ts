import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { AgentReport } from '../../examples/agent/report.ts';
import { answers, type RunningChild } from '../../examples/quick-start/child-process.ts';
import { choosePorts, type Ports } from '../../examples/quick-start/ports.ts';
import { copyBundle } from '../../examples/quick-start/state-directory.ts';
import { startTraceReceiver, type TraceReceiver } from '../../examples/quick-start/trace-receiver.ts';
import { REPOSITORY, readComposeFile } from './compose-file.ts';
import { type ComposedProcesses, runNode, runService, startService } from './composed-processes.ts';

/** Docker is not needed: the file's commands and settings run as processes of this machine, with its host names and ports replaced. */
const directory = mkdtempSync(join(tmpdir(), 'sidegate-compose-'));
const running: RunningChild[] = [];
let ports: Ports;
let composed: ComposedProcesses;
let traces: TraceReceiver | undefined;

before(async () => {
  ports = await choosePorts('auto');
  const bundle = join(directory, 'bundle');
  copyBundle(
    join(REPOSITORY, 'examples/bundle'),
    bundle,
    new Map([
      [9501, ports.tickets],
      [9502, ports.everything],
    ]),
  );
  composed = {
    compose: readComposeFile(),
    directory,
    substitute: substitution(ports, bundle),
    additions: {
      everything: { PORT: String(ports.everything) },
      extauthz: { SIDEGATE_GRPC_LISTEN: `127.0.0.1:${ports.policyGrpc}`, SIDEGATE_HTTP_LISTEN: `127.0.0.1:${ports.policyHttp}` },
      sidecar: { SIDEGATE_POLICY_SERVER_NAME: 'extauthz' },
    },
  };

  traces = await startTraceReceiver({ host: '127.0.0.1', port: ports.traces });
  const local = (port: number, path: string) => `http://127.0.0.1:${port}${path}`;
  const start = async (name: string, ready: () => Promise<boolean>) => running.push(await startService(name, composed, ready));
  await start('issuer', answers(local(ports.issuer, '/.well-known/openid-configuration'), 200));
  await runService('prepare', composed, { PREPARE_DIRECTORY: join(directory, 'volumes') });
  await start('tickets', answers(local(ports.tickets, '/mcp'), 401));
  await start('everything', answers(local(ports.everything, '/mcp'), 400));
  await start('extauthz', answers(local(ports.policyHttp, '/readyz'), 200));
  await start('sidecar', answers(local(ports.sidecarAdmin, '/readyz'), 200));
});
after(async () => {
  for (const child of running.reverse()) await child.stop();
  traces?.close();
  rmSync(directory, { recursive: true });
});

async function runAgent(user: string): Promise<AgentReport> {
  const agent = composed.compose.services['agent']?.environment ?? {};
  const servers = { tickets: agent['TICKETS_MCP_URL'] ?? '', everything: agent['EVERYTHING_MCP_URL'] ?? '' };
  const env = {
    USER_TOKEN: readFileSync(join(directory, `volumes/agent/${user}.token`), 'utf8'),
    MCP_SERVERS: composed.substitute(JSON.stringify(servers)),
  };
  return JSON.parse(await runNode([join(REPOSITORY, 'examples/agent/agent.ts')], env)) as AgentReport;
}

function outcomes({ calls }: AgentReport): Record<string, string> {
  return Object.fromEntries(calls.map(({ step, outcome }) => [step, outcome.kind === 'error' ? String(outcome.code) : 'allowed']));
}

test('through the composed processes, alice and bob may do what the sample bundle says', { timeout: 60_000 }, async () => {
  const [alice, bob] = [outcomes(await runAgent('alice')), outcomes(await runAgent('bob'))];
  assert.equal(alice['list open tickets'], 'allowed');
  assert.equal(alice['delete a rehearsal ticket'], '4030');
  assert.equal(bob['delete a rehearsal ticket'], 'allowed');
  assert.equal(bob['delete a customer ticket'], '4030');
  assert.equal(bob['print the environment'], '4030');
});

test('traces go where the collector listens', { timeout: 60_000 }, async () => {
  const { calls } = await runAgent('alice');
  // The ticket server says which trace context reached it.
  const [, traceId = ''] = /\b00-([0-9a-f]{32})-/.exec(JSON.stringify(calls.find(({ tool }) => tool === 'whoami')?.outcome)) ?? [];
  const spans = (await traces?.spansOf(traceId, 2, 5_000)) ?? [];
  assert.ok(
    spans.some(({ service }) => service === 'sidegate-sidecar'),
    JSON.stringify(spans),
  );
});

test('each container gets only its own share of what is prepared', () => {
  const share = (name: string) =>
    readdirSync(join(directory, 'volumes', name), { recursive: true })
      .map(String)
      .sort();
  assert.deepEqual(share('agent'), ['alice.token', 'bob.token']);
  assert.deepEqual(share('sidecar'), ['ca.crt', 'token']);
  assert.deepEqual(share('policy'), [
    'secrets',
    'secrets/tickets',
    'secrets/tickets/alice',
    'secrets/tickets/bob',
    'tls',
    'tls/extauthz.crt',
    'tls/extauthz.key',
    'workload-keys.json',
  ]);
  assert.equal(statSync(join(directory, 'volumes/policy/secrets/tickets/alice')).mode & 0o777, 0o600);
});

test('preparing again renews tokens and keeps the certificates, and the running processes go on', { timeout: 60_000 }, async () => {
  const read = (path: string) => readFileSync(join(directory, 'volumes', path), 'utf8');
  const [certificate, token] = [read('policy/tls/extauthz.crt'), read('sidecar/token')];
  await runService('prepare', composed, { PREPARE_DIRECTORY: join(directory, 'volumes') });
  assert.equal(read('policy/tls/extauthz.crt'), certificate);
  assert.notEqual(read('sidecar/token'), token);
  assert.equal(outcomes(await runAgent('alice'))['list open tickets'], 'allowed');
});

function substitution(chosen: Ports, bundle: string): (value: string) => string {
  const numbers: Readonly<Record<string, number>> = {
    '9400': chosen.agent,
    '9401': chosen.sidecarAdmin,
    '9410': chosen.policyGrpc,
    '9411': chosen.policyHttp,
    '9500': chosen.issuer,
    '9501': chosen.tickets,
    '9502': chosen.everything,
    '4318': chosen.traces,
  };
  return (value) => {
    if (value === join(REPOSITORY, 'examples/bundle')) return bundle;
    const located = value.replace(/:(\d{4})\b/g, (whole, port: string) => (numbers[port] === undefined ? whole : `:${numbers[port]}`));
    return located.replace(/\b(issuer\.localhost|collector)(?=:\d)/, '127.0.0.1').replace(/^extauthz(?=:\d)/, 'localhost');
  };
}
