import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { readExtauthzConfig } from '../../extauthz/config.ts';
import { injectorSettings } from '../../injector/config.ts';
import { INJECT_PATH } from '../../injector/server.ts';
import { ADMIN_PORT, SIDECAR_UID } from '../../injector/sidecar-container.ts';
import { readSettings } from '../../runtime/env.ts';
import { type ContainerSpec, find, type KubernetesObject, podSpecOf, podTemplates } from './kubernetes-object.ts';
import { schemaViolations, unknownFields } from './kubernetes-schema.ts';
import { renderBase, renderExample, withoutKubectl } from './rendered.ts';
import { restrictedViolations } from './restricted.ts';

const skip = withoutKubectl;
const example = skip ? undefined : await renderExample();
const objects = example?.objects ?? [];

test('the base renders by itself', { skip }, () => {
  assert.ok(renderBase().length > 10);
});

test('every object is what Kubernetes’ schema allows', { skip }, async () => {
  for (const object of [...objects, ...renderBase()]) {
    assert.deepEqual(await schemaViolations(object), [], `${object.kind} ${object.metadata.name}`);
  }
});

test('no object has a field that Kubernetes does not know', { skip }, () => {
  assert.equal(unknownFields(objects), '');
});

test('every pod meets the restricted Pod Security Standard', { skip }, () => {
  const templates = podTemplates(objects);
  assert.ok(templates.length >= 4);
  for (const { owner, spec } of templates) assert.deepEqual(restrictedViolations(spec), [], owner.metadata.name);
});

test('whatever an object refers to is there', { skip }, () => {
  const names = (kind: string) =>
    objects.filter((object) => object.kind === kind).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const [secrets, configMaps, claims, accounts] = ['Secret', 'ConfigMap', 'PersistentVolumeClaim', 'ServiceAccount'].map(names);
  for (const { owner, spec } of podTemplates(objects)) {
    const within = (name: string) => `${owner.metadata.namespace}/${name}`;
    for (const { secret, configMap, persistentVolumeClaim } of spec.volumes ?? []) {
      if (secret !== undefined) assert.ok(secrets?.includes(within(secret.secretName)), secret.secretName);
      if (configMap !== undefined) assert.ok(configMaps?.includes(within(configMap.name)), configMap.name);
      if (persistentVolumeClaim !== undefined) assert.ok(claims?.includes(within(persistentVolumeClaim.claimName)));
    }
    if (spec.serviceAccountName !== undefined) assert.ok(accounts?.includes(within(spec.serviceAccountName)));
    for (const container of spec.containers) {
      for (const { configMapRef } of container.envFrom ?? []) assert.ok(configMaps?.includes(within(configMapRef.name)), configMapRef.name);
      for (const { name } of container.volumeMounts ?? [])
        assert.ok(
          spec.volumes?.some((volume) => volume.name === name),
          name,
        );
      for (const probe of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
        const port = probe?.httpGet?.port;
        if (typeof port === 'string')
          assert.ok(
            container.ports?.some(({ name }) => name === port),
            `${container.name}: probe of ${port}`,
          );
      }
    }
  }
});

test('every Service selects pods that have its ports', { skip }, () => {
  for (const service of objects.filter(({ kind }) => kind === 'Service')) {
    const { selector, ports } = service.spec as { selector: Record<string, string>; ports: { targetPort: string }[] };
    const owner = objects.find(({ metadata, spec }) => {
      const labels = (spec as { template?: { metadata: { labels: Record<string, string> } } } | undefined)?.template?.metadata.labels;
      return metadata.namespace === service.metadata.namespace && Object.entries(selector).every(([key, value]) => labels?.[key] === value);
    });
    assert.ok(owner, `nothing answers ${service.metadata.name}`);
    const names = podTemplates([owner]).flatMap(({ spec }) =>
      spec.containers.flatMap((container) => container.ports?.map(({ name }) => name) ?? []),
    );
    for (const { targetPort } of ports) assert.ok(names.includes(targetPort), `${service.metadata.name}: ${targetPort}`);
  }
});

test('the policy service starts with the settings it is given, and listens where its ports say', { skip }, () => {
  const container = podSpecOf(objects, 'sidegate-extauthz').containers[0];
  const config = readExtauthzConfig(environmentOf(container));
  assert.deepEqual(container?.args, ['extauthz', 'serve']);
  assert.deepEqual(
    container?.ports?.map(({ containerPort }) => containerPort),
    [config.grpcListen.port, config.httpListen.port],
  );
  assertMounted(container, [config.tlsCertFile, config.tlsKeyFile, config.bundleDir, config.databaseFile]);
});

test('the injector starts with the settings it is given, and listens where its ports say', { skip }, () => {
  const container = podSpecOf(objects, 'sidegate-injector').containers[0];
  const config = readSettings(injectorSettings, environmentOf(container));
  assert.deepEqual(container?.args, ['injector', 'serve']);
  assert.deepEqual(
    container?.ports?.map(({ containerPort }) => containerPort),
    [config.listen.port, config.adminListen.port],
  );
  assertMounted(container, [config.tlsCertFile, config.tlsKeyFile, config.policyCaFile]);
  assert.equal(config.image, container?.image, 'sidecars run the injector’s own image');
});

test('sidecars reach the policy service: the Service exists and its certificate has that name', { skip }, () => {
  const { policyAddress } = readSettings(injectorSettings, environmentOf(podSpecOf(objects, 'sidegate-injector').containers[0]));
  const [service = '', namespace = ''] = policyAddress.host.split('.');
  const { ports } = find(objects, 'Service', service).spec as { ports: { port: number }[] };
  assert.equal(find(objects, 'Service', service).metadata.namespace, namespace);
  assert.ok(ports.some(({ port }) => port === policyAddress.port));
  const certificate = certificateIn('sidegate-extauthz-tls-');
  assert.ok(certificate.checkHost(policyAddress.host));
  assert.ok(certificate.checkIssued(new X509Certificate(example?.caPem ?? '')));
});

test('the API server reaches the webhooks: Service, path, and a certificate that the CA bundle verifies', { skip }, () => {
  const { webhooks } = find(objects, 'MutatingWebhookConfiguration', 'sidegate-injector') as unknown as { webhooks: Webhook[] };
  assert.equal(webhooks.length, 2);
  for (const { clientConfig } of webhooks) {
    const { name, namespace, port, path } = clientConfig.service;
    const service = find(objects, 'Service', name);
    assert.equal(service.metadata.namespace, namespace);
    assert.ok((service.spec as { ports: { port: number }[] }).ports.some((exposed) => exposed.port === port));
    assert.equal(path, INJECT_PATH);
    assert.equal(Buffer.from(clientConfig.caBundle, 'base64').toString(), example?.caPem);
    assert.ok(certificateIn('sidegate-injector-tls-').checkHost(`${name}.${namespace}.svc`));
  }
});

test('no pod meets both webhooks, opting out is seen, and Sidegate’s own pods meet none', { skip }, () => {
  const { webhooks } = find(objects, 'MutatingWebhookConfiguration', 'sidegate-injector') as unknown as { webhooks: Webhook[] };
  const called = (namespace: Labels, pod: Labels) =>
    webhooks
      .filter(({ namespaceSelector, objectSelector }) => matches(namespaceSelector, namespace) && matches(objectSelector, pod))
      .map(({ name }) => name);
  const key = 'sidegate.dev/inject';
  const named = (name: string, labels: Labels = {}): Labels => ({ 'kubernetes.io/metadata.name': name, ...labels });
  const governed = named('team', { [key]: 'enabled' });

  assert.deepEqual(called(named('team'), {}), []);
  assert.deepEqual(called(named('team'), { [key]: 'enabled' }), ['pod.inject.sidegate.dev']);
  assert.deepEqual(called(named('team'), { [key]: 'true' }), ['pod.inject.sidegate.dev'], 'to be refused, not ignored');
  assert.deepEqual(called(named('team'), { [key]: 'disabled' }), []);
  for (const pod of [{}, { [key]: 'enabled' }, { [key]: 'disabled' }, { [key]: '' }, { 'app.kubernetes.io/part-of': 'sidegate' }]) {
    assert.deepEqual(called(governed, pod), ['namespace.inject.sidegate.dev'], JSON.stringify(pod));
  }
  assert.deepEqual(called(named('team', { [key]: 'disabled' }), { [key]: 'enabled' }), ['pod.inject.sidegate.dev']);
  for (const system of ['sidegate-system', 'kube-system']) {
    assert.deepEqual(called(named(system, { [key]: 'enabled' }), { [key]: 'enabled' }), [], system);
  }
  for (const { failurePolicy, sideEffects, timeoutSeconds } of webhooks) {
    assert.deepEqual([failurePolicy, sideEffects, timeoutSeconds], ['Fail', 'None', 5]);
  }
});

test('pods run as the image’s user, and the injected sidecar’s port is the kubelet’s', { skip }, () => {
  for (const name of ['sidegate-extauthz', 'sidegate-injector']) {
    assert.equal(podSpecOf(objects, name).securityContext?.['runAsUser'], SIDECAR_UID);
  }
  assert.equal(ADMIN_PORT, 9401);
});

type Labels = Readonly<Record<string, string>>;

interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

interface Webhook {
  readonly name: string;
  readonly clientConfig: { readonly caBundle: string; readonly service: { name: string; namespace: string; port: number; path: string } };
  readonly namespaceSelector: Selector;
  readonly objectSelector?: Selector;
  readonly failurePolicy: string;
  readonly sideEffects: string;
  readonly timeoutSeconds: number;
}

/** Label selectors as Kubernetes defines them: `NotIn` also matches where the key is absent. */
function matches(selector: Selector | undefined, labels: Labels): boolean {
  assert.equal(selector?.matchLabels, undefined, 'only matchExpressions are used here');
  return (selector?.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === 'In') return value !== undefined && values.includes(value);
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    assert.equal(operator, 'Exists');
    return value !== undefined;
  });
}

/** The environment that the kubelet would give a container. */
function environmentOf(container: ContainerSpec | undefined): Record<string, string> {
  const from = (container?.envFrom ?? []).map(({ configMapRef }) => find(objects, 'ConfigMap', configMapRef.name).data ?? {});
  return Object.assign({}, ...from, Object.fromEntries((container?.env ?? []).map(({ name, value = '' }) => [name, value])));
}

function assertMounted(container: ContainerSpec | undefined, paths: readonly string[]): void {
  for (const path of paths) {
    assert.ok(
      container?.volumeMounts?.some(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`)),
      `${path} is on no volume`,
    );
  }
}

function certificateIn(secretPrefix: string): X509Certificate {
  const secret = objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.name.startsWith(secretPrefix)) as KubernetesObject;
  return new X509Certificate(Buffer.from(secret.data?.['tls.crt'] ?? '', 'base64'));
}
