import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { extauthzSettings, readExtauthzConfig } from '../../extauthz/config.ts';
import { readSidecarConfig, sidecarSettings } from '../../sidecar/config.ts';
import { mountsOf, REPOSITORY, readComposeFile } from './compose-file.ts';

const { services, volumes } = readComposeFile();
const entries = Object.entries(services);

function environment(name: string): Record<string, string> {
  return services[name]?.environment ?? {};
}

test('services, volumes and files that are named exist', () => {
  const used = new Set<string>();
  for (const [name, service] of entries) {
    for (const other of Object.keys(service.depends_on)) assert.ok(services[other], `${name} depends on ${other}`);
    const shared = service.network_mode?.replace(/^service:/, '');
    if (shared !== undefined) assert.ok(services[shared], `${name} shares the network of ${shared}`);
    for (const { source } of mountsOf(service)) {
      if (source.startsWith('.')) assert.ok(existsSync(join(REPOSITORY, source)), `${name} mounts ${source}`);
      else used.add(source);
    }
    for (const argument of service.command) {
      if (/^(\.\/)?(examples|manifests|node_modules)\//.test(argument))
        assert.ok(existsSync(join(REPOSITORY, argument)), `${name}: ${argument}`);
    }
  }
  assert.deepEqual([...used].sort(), Object.keys(volumes).sort());
});

test('images that are not built here are pinned to a version', () => {
  for (const [name, { image, build }] of entries) if (build === undefined) assert.match(image, /:\d+\.\d+\.\d+$/, name);
});

test('services are built from targets that the Dockerfile has', () => {
  const dockerfile = readFileSync(join(REPOSITORY, 'Dockerfile'), 'utf8');
  for (const [name, { build }] of entries) {
    if (build !== undefined) assert.match(dockerfile, new RegExp(`^FROM .* AS ${build.target}$`, 'm'), name);
  }
});

test('the policy service and the sidecar start with the settings they are given, and none is misspelt', () => {
  readExtauthzConfig(environment('extauthz'));
  readSidecarConfig(environment('sidecar'));
  const known = (settings: object) => Object.values(settings as Record<string, { env: string }>).map(({ env }) => env);
  for (const name of Object.keys(environment('extauthz'))) assert.ok(known(extauthzSettings).includes(name), name);
  for (const name of Object.keys(environment('sidecar'))) assert.ok(known(sidecarSettings).includes(name), name);
});

test('every path in a setting is below something mounted', () => {
  for (const [name, service] of entries) {
    const targets = mountsOf(service).map(({ target }) => target);
    for (const [variable, value] of Object.entries(service.environment)) {
      if (!value.startsWith('/') || variable === 'PREPARE_DIRECTORY') continue;
      assert.ok(
        targets.some((target) => value === target || value.startsWith(`${target}/`)),
        `${name}: ${variable}=${value}`,
      );
    }
  }
});

test('the sidecar is in its agent’s network namespace, and listens there on loopback only', () => {
  assert.equal(services['sidecar']?.network_mode, 'service:agent');
  const { listen, adminListen } = readSidecarConfig(environment('sidecar'));
  assert.deepEqual([listen.host, adminListen.host], ['127.0.0.1', '127.0.0.1']);
});

test('no container can read what is another’s: keys and users’ secrets, the workload’s identity, agents’ tokens', () => {
  const mounting = (volume: string) =>
    entries.filter(([, service]) => mountsOf(service).some(({ source }) => source === volume)).map(([name]) => name);
  assert.deepEqual(mounting('policy').sort(), ['extauthz', 'prepare']);
  assert.deepEqual(mounting('sidecar').sort(), ['prepare', 'sidecar']);
  assert.deepEqual(mounting('agent').sort(), ['agent', 'prepare']);
  for (const name of ['extauthz', 'sidecar', 'agent']) {
    const prepared = mountsOf(services[name] as never).filter(({ target }) => target.startsWith('/prepared'));
    assert.ok(prepared.length > 0 && prepared.every(({ readOnly }) => readOnly), name);
  }
});

test('every container is hardened, and ports are published on this machine only', () => {
  for (const [name, service] of entries) {
    assert.deepEqual(service.cap_drop, ['ALL'], name);
    assert.ok(service.security_opt.includes('no-new-privileges:true') && service.read_only && !service.privileged, name);
    for (const port of service.ports) assert.match(port, /^127\.0\.0\.1:/, `${name} publishes ${port}`);
  }
});

test('the collector’s pipelines are made of what it declares, on the port that the others send to', () => {
  const collector = parse(readFileSync(join(REPOSITORY, 'manifests/compose/collector.yaml'), 'utf8')) as Record<
    string,
    Record<string, unknown>
  > & {
    receivers: { otlp: { protocols: { http: { endpoint: string } } } };
    exporters: { otlp: { endpoint: string } };
    service: { pipelines: Record<string, Record<string, string[]>> };
  };
  for (const [signal, pipeline] of Object.entries(collector.service.pipelines)) {
    for (const [kind, names] of Object.entries(pipeline)) {
      for (const name of names) assert.ok(Object.hasOwn(collector[kind] ?? {}, name), `${signal}: ${kind} ${name}`);
    }
  }
  const port = collector.receivers.otlp.protocols.http.endpoint.split(':').at(-1);
  for (const name of ['extauthz', 'sidecar']) assert.equal(environment(name)['OTEL_EXPORTER_OTLP_ENDPOINT'], `http://collector:${port}`);
  assert.ok(services[collector.exporters.otlp.endpoint.split(':')[0] ?? '']);
});
