import { z } from 'zod';

type Path = readonly string[];

/** Where the pod is in the resources that hold one, by `apiVersion` and `kind`. */
const POD_PATHS: Readonly<Record<string, Path>> = {
  'v1 Pod': [],
  'v1 PodTemplate': ['template'],
  'v1 ReplicationController': ['spec', 'template'],
  'apps/v1 DaemonSet': ['spec', 'template'],
  'apps/v1 Deployment': ['spec', 'template'],
  'apps/v1 ReplicaSet': ['spec', 'template'],
  'apps/v1 StatefulSet': ['spec', 'template'],
  'batch/v1 CronJob': ['spec', 'jobTemplate', 'spec', 'template'],
  'batch/v1 Job': ['spec', 'template'],
};

const resource = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string().nullish(), generateName: z.string().nullish(), namespace: z.string().nullish() }).nullish(),
});
const list = z.looseObject({ apiVersion: z.literal('v1'), kind: z.literal('List'), items: z.array(z.unknown()) });

type JsonObject = Readonly<Record<string, unknown>>;

/** The members of a `List`, or undefined when the value is none. */
export function listItems(value: unknown): readonly unknown[] | undefined {
  const parsed = list.safeParse(value);
  return parsed.success ? parsed.data.items : undefined;
}

/** `deployment/web in demo`, for people. */
export function resourceName(value: unknown): string {
  const parsed = resource.safeParse(value);
  if (!parsed.success) return 'a document that is no Kubernetes resource';
  const { kind, metadata } = parsed.data;
  const name = metadata?.name ?? metadata?.generateName ?? '(no name)';
  return `${kind.toLowerCase()}/${name}${metadata?.namespace ? ` in ${metadata.namespace}` : ''}`;
}

/** The pod a resource holds, itself or as a template, with the way to put another in its place; undefined when it holds none. */
export function podOf(value: unknown): { readonly pod: unknown; replace(pod: unknown): unknown } | undefined {
  const parsed = resource.safeParse(value);
  if (!parsed.success) return undefined;
  const key = `${parsed.data.apiVersion} ${parsed.data.kind}`;
  const path = Object.hasOwn(POD_PATHS, key) ? POD_PATHS[key] : undefined;
  if (path === undefined) return undefined;
  return { pod: path.reduce(member, value), replace: (pod) => replaceAt(value, path, pod) };
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as JsonObject)[key] : undefined;
}

function replaceAt(value: unknown, [key, ...rest]: Path, replacement: unknown): unknown {
  if (key === undefined) return replacement;
  return { ...(value as JsonObject), [key]: replaceAt(member(value, key), rest, replacement) };
}
