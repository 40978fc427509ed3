/** A Kubernetes object as far as the tests look into it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: number | string };
}

export interface ContainerSpec {
  readonly name: string;
  readonly image?: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly hostPort?: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
}

export interface VolumeSpec {
  readonly name: string;
  readonly secret?: { readonly secretName: string };
  readonly configMap?: { readonly name: string; readonly items: readonly { readonly key: string; readonly path: string }[] };
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly [source: string]: unknown;
}

export interface PodTemplateSpec {
  readonly containers: readonly ContainerSpec[];
  readonly initContainers?: readonly ContainerSpec[];
  readonly volumes?: readonly VolumeSpec[];
  readonly serviceAccountName?: string;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export function find(objects: readonly KubernetesObject[], kind: string, name: string): KubernetesObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined)
    throw new Error(`no ${kind} ${name} among ${objects.map((object) => `${object.kind} ${object.metadata.name}`).join(', ')}`);
  return found;
}

/** Objects that hold a pod template, with it. */
export function podTemplates(objects: readonly KubernetesObject[]): { readonly owner: KubernetesObject; readonly spec: PodTemplateSpec }[] {
  return objects.flatMap((owner) => {
    if (owner.kind === 'Pod') return [{ owner, spec: owner.spec as unknown as PodTemplateSpec }];
    const template = (owner.spec as { template?: { spec: PodTemplateSpec } } | undefined)?.template;
    return template === undefined ? [] : [{ owner, spec: template.spec }];
  });
}

export function podSpecOf(objects: readonly KubernetesObject[], name: string): PodTemplateSpec {
  const [template] = podTemplates([find(objects, 'Deployment', name)]);
  if (template === undefined) throw new Error(`${name} has no pod template`);
  return template.spec;
}
