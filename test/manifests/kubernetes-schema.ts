import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from './compose-file.ts';
import type { KubernetesObject } from './kubernetes-object.ts';

interface Model {
  new (data: never): { validate(): void };
}

/** Generated from Kubernetes' own OpenAPI document: a validator and a type for each kind. */
const MODELS: Readonly<Record<string, () => Promise<Model>>> = {
  'admissionregistration.k8s.io/v1 MutatingWebhookConfiguration': () =>
    import('kubernetes-models/admissionregistration.k8s.io/v1/MutatingWebhookConfiguration').then((m) => m.MutatingWebhookConfiguration),
  'apps/v1 DaemonSet': () => import('kubernetes-models/apps/v1/DaemonSet').then((m) => m.DaemonSet),
  'apps/v1 Deployment': () => import('kubernetes-models/apps/v1/Deployment').then((m) => m.Deployment),
  'apps/v1 StatefulSet': () => import('kubernetes-models/apps/v1/StatefulSet').then((m) => m.StatefulSet),
  'batch/v1 CronJob': () => import('kubernetes-models/batch/v1/CronJob').then((m) => m.CronJob),
  'batch/v1 Job': () => import('kubernetes-models/batch/v1/Job').then((m) => m.Job),
  'networking.k8s.io/v1 NetworkPolicy': () => import('kubernetes-models/networking.k8s.io/v1/NetworkPolicy').then((m) => m.NetworkPolicy),
  'policy/v1 PodDisruptionBudget': () => import('kubernetes-models/policy/v1/PodDisruptionBudget').then((m) => m.PodDisruptionBudget),
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': () =>
    import('kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRoleBinding').then((m) => m.ClusterRoleBinding),
  'v1 ConfigMap': () => import('kubernetes-models/v1/ConfigMap').then((m) => m.ConfigMap),
  'v1 Namespace': () => import('kubernetes-models/v1/Namespace').then((m) => m.Namespace),
  'v1 PersistentVolumeClaim': () => import('kubernetes-models/v1/PersistentVolumeClaim').then((m) => m.PersistentVolumeClaim),
  'v1 Pod': () => import('kubernetes-models/v1/Pod').then((m) => m.Pod),
  'v1 Secret': () => import('kubernetes-models/v1/Secret').then((m) => m.Secret),
  'v1 Service': () => import('kubernetes-models/v1/Service').then((m) => m.Service),
  'v1 ServiceAccount': () => import('kubernetes-models/v1/ServiceAccount').then((m) => m.ServiceAccount),
};

/** What in an object Kubernetes' schema does not allow: missing fields, wrong types and formats. Unknown fields: see `unknownFields`. */
export async function schemaViolations(object: KubernetesObject): Promise<string[]> {
  const load = MODELS[`${object.apiVersion} ${object.kind}`];
  if (load === undefined) return [`no schema for ${object.apiVersion} ${object.kind}`];
  try {
    new (await load())(object as never).validate();
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** What the compiler says of the objects as literals of Kubernetes' types: it finds what the validators let through, fields that do not exist. */
export function unknownFields(objects: readonly KubernetesObject[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-manifests-'));
  try {
    const lines = objects.map((object, index) => {
      const path = `kubernetes-models/${object.apiVersion}/${object.kind}`;
      const type = `import('${path}').I${object.kind}`;
      return `// ${object.kind} ${object.metadata.name}\nexport const object${index}: ${type} = ${JSON.stringify(object, null, 1)};`;
    });
    writeFileSync(join(directory, 'objects.ts'), lines.join('\n'));
    const compilerOptions = {
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      module: 'nodenext',
      target: 'es2024',
      types: [],
      paths: { 'kubernetes-models/*': [`${REPOSITORY}node_modules/kubernetes-models/*.d.ts`] },
    };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['objects.ts'] }));
    execFileSync(join(REPOSITORY, 'node_modules/.bin/tsc'), ['-p', directory, '--pretty', 'false'], { encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (error) {
    return (error as { stdout?: string }).stdout ?? String(error);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
