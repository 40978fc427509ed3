import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { writeCertificates } from '../../injector/certificates-command.ts';
import { REPOSITORY } from './compose-file.ts';
import type { KubernetesObject } from './kubernetes-object.ts';

/** For `test(..., { skip })`. */
export const withoutKubectl =
  spawnSync('kubectl', ['version', '--client']).status === 0 ? false : 'SKIPPED: kubectl is not on this machine';

/** Base64 as kustomize breaks it into lines; Go's reader ignores the breaks, validators do not. */
const BROKEN_BASE64 = /^(?:[A-Za-z0-9+/]{70}\n)+[A-Za-z0-9+/=]*\n?$/;

/** Reads manifests as Kubernetes does: YAML 1.1. */
export function parseObjects(yaml: string): KubernetesObject[] {
  const mend = (_key: unknown, value: unknown): unknown =>
    typeof value === 'string' && BROKEN_BASE64.test(value) ? value.replaceAll('\n', '') : value;
  return parseAllDocuments(yaml, { version: '1.1' }).map((document) => document.toJS({ reviver: mend }) as KubernetesObject);
}

export function renderBase(): KubernetesObject[] {
  return parseObjects(execFileSync('kubectl', ['kustomize', join(REPOSITORY, 'manifests/base')], { encoding: 'utf8' }));
}

/** Renders overlays/example as docs/deployment.md says: certificates first, into the overlay. In a copy, so that the repository stays clean. */
export async function renderExample(): Promise<{ readonly objects: KubernetesObject[]; readonly yaml: string; readonly caPem: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-manifests-'));
  try {
    const certificates = join(directory, 'overlays/example/certificates');
    // Without what somebody may have made in the repository itself.
    cpSync(join(REPOSITORY, 'manifests'), directory, { recursive: true, filter: (source) => !source.endsWith('/certificates') });
    await writeCertificates({ out: certificates, namespace: 'sidegate-system', policyNames: [] }, Date.now());
    const yaml = execFileSync('kubectl', ['kustomize', join(directory, 'overlays/example')], { encoding: 'utf8' });
    return { objects: parseObjects(yaml), yaml, caPem: readFileSync(join(certificates, 'ca.crt'), 'utf8') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
