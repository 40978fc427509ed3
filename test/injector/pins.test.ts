import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { marksTable } from '../../injector/annotations.ts';
import { inject } from '../../injector/inject.ts';
import { type Refusal, refusalText } from '../../injector/refusal.ts';
import { TEST_TEMPLATE } from './template.ts';

/** What people put into manifests, dashboards and policies: changing any of it breaks them. Literals, never imported. */
const DOCS = readFileSync(new URL('../../docs/injection.md', import.meta.url), 'utf8');

function injected(metadata: Readonly<Record<string, unknown>>) {
  const result = inject({ metadata, spec: { containers: [{ name: 'agent' }] } } as never, TEST_TEMPLATE, '1.2.3');
  assert.ok(result.kind !== 'refused');
  return { kind: result.kind, pod: result.pod };
}

test('label, annotations, variables, names and ports', () => {
  const { pod } = injected({ labels: { 'sidegate.dev/inject': 'enabled' }, annotations: { 'sidegate.dev/servers': 'tickets' } });
  assert.equal(
    pod.metadata?.annotations?.['sidegate.dev/status'],
    '{"injected":true,"version":"1.2.3","containers":["sidegate"],"volumes":["sidegate-token","sidegate-state","sidegate-no-api-token"]}',
  );
  assert.deepEqual(pod.spec.containers[0]?.env, [
    { name: 'SIDEGATE_URL', value: 'http://localhost:9400' },
    { name: 'TICKETS_MCP_URL', value: 'http://localhost:9400/tickets/mcp' },
  ]);
  const [sidecar] = pod.spec.initContainers ?? [];
  assert.deepEqual([sidecar?.name, sidecar?.['restartPolicy'], sidecar?.['args']], ['sidegate', 'Always', ['sidecar']]);
  assert.deepEqual(sidecar?.ports, [{ name: 'sidegate-admin', containerPort: 9401, protocol: 'TCP' }]);
  assert.deepEqual(
    sidecar?.env?.map(({ name }) => name),
    [
      'SIDEGATE_LISTEN',
      'SIDEGATE_ADMIN_LISTEN',
      'SIDEGATE_POLICY_ADDRESS',
      'SIDEGATE_POLICY_CA_PEM',
      'SIDEGATE_WORKLOAD_TOKEN_FILE',
      'SIDEGATE_STATE_DIR',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'SIDEGATE_LOG_LEVEL',
    ],
  );
  assert.equal(injected({ labels: { 'sidegate.dev/inject': 'disabled' } }).kind, 'opted-out');
});

test('a certificate with `$(` in it, or a `$` anywhere, reaches the sidecar as it is', () => {
  const result = inject({ spec: { containers: [{ name: 'agent' }] } }, { ...TEST_TEMPLATE, policyCaPem: 'a$(B)$$c' }, '1.2.3');
  const env = result.kind === 'injected' ? result.pod.spec.initContainers?.[0]?.env : undefined;
  // Kubernetes halves each `$$` and expands `$(NAME)`.
  assert.equal(env?.find(({ name }) => name === 'SIDEGATE_POLICY_CA_PEM')?.value, 'a$$(B)$$$$c');
});

test('the page about injection shows the labels and annotations as they are defined', () => {
  assert.ok(DOCS.includes(marksTable()), `docs/injection.md should contain:\n${marksTable()}`);
});

test('every refusal says what is in the way', () => {
  const refusals: readonly Refusal[] = [
    { kind: 'label-unclear', value: 'x' },
    { kind: 'server-name-malformed', name: 'x' },
    { kind: 'too-many-servers', count: 101 },
    { kind: 'server-names-clash', names: ['3d', '-3d'], variable: '_3D_MCP_URL' },
    { kind: 'windows' },
    { kind: 'host-network' },
    { kind: 'host-pid' },
    { kind: 'shared-process-namespace' },
    { kind: 'container-name-taken', container: 'x' },
    { kind: 'port-taken', container: 'x', port: 9_400 },
    { kind: 'user-taken', container: 'x' },
    { kind: 'volume-shared', container: 'x', volume: 'sidegate-token' },
    { kind: 'token-exposed', volume: 'x', audience: 'sidegate-policy' },
  ];
  assert.equal(new Set(refusals.map(refusalText)).size, refusals.length);
});

test('more servers than a pod may name are refused', () => {
  const names = Array.from({ length: 101 }, (_, index) => `s${index}`).join(',');
  const result = inject(
    { metadata: { annotations: { 'sidegate.dev/servers': names } }, spec: { containers: [{ name: 'agent' }] } },
    TEST_TEMPLATE,
    '1.2.3',
  );
  assert.deepEqual(result, { kind: 'refused', refusals: [{ kind: 'too-many-servers', count: 101 }] });
});
