import { z } from 'zod';

/** Kubernetes reads `null` as absent, so the schemas do too. */
function absentable<T extends z.ZodType>(schema: T) {
  return schema.nullish();
}

const envVariable = z.looseObject({ name: z.string(), value: absentable(z.string()) });
const containerPort = z.looseObject({
  containerPort: z.number(),
  hostPort: absentable(z.number()),
  protocol: absentable(z.string()),
});
const volumeMount = z.looseObject({ name: z.string(), mountPath: z.string() });
const containerSecurity = z.looseObject({ runAsUser: absentable(z.number()), privileged: absentable(z.boolean()) });

const container = z.looseObject({
  name: z.string(),
  env: absentable(z.array(envVariable)),
  ports: absentable(z.array(containerPort)),
  volumeMounts: absentable(z.array(volumeMount)),
  securityContext: absentable(containerSecurity),
});

const volume = z.looseObject({
  name: z.string(),
  projected: absentable(
    z.looseObject({
      sources: absentable(z.array(z.looseObject({ serviceAccountToken: absentable(z.looseObject({ audience: absentable(z.string()) })) }))),
    }),
  ),
});

const metadata = z.looseObject({
  name: absentable(z.string()),
  generateName: absentable(z.string()),
  namespace: absentable(z.string()),
  labels: absentable(z.record(z.string(), z.string())),
  annotations: absentable(z.record(z.string(), z.string())),
});

const podSpec = z.looseObject({
  containers: z.array(container).min(1),
  initContainers: absentable(z.array(container)),
  volumes: absentable(z.array(volume)),
  hostNetwork: absentable(z.boolean()),
  hostPID: absentable(z.boolean()),
  hostIPC: absentable(z.boolean()),
  shareProcessNamespace: absentable(z.boolean()),
  securityContext: absentable(z.looseObject({ runAsUser: absentable(z.number()) })),
  os: absentable(z.looseObject({ name: z.string() })),
});

/** A Pod or the template of one: the parts the injector reads; every other field is carried along as it is. */
const pod = z.looseObject({ metadata: absentable(metadata), spec: podSpec });

export type Container = z.infer<typeof container>;
export type EnvVariable = z.infer<typeof envVariable>;
export type Volume = z.infer<typeof volume>;
export type PodSpec = z.infer<typeof podSpec>;
export type Pod = z.infer<typeof pod>;

/** The value itself when it has a Pod's shape (key order untouched), else what is wrong with it and where. */
export function asPod(value: unknown): { readonly pod: Pod } | { readonly problem: string } {
  const parsed = pod.safeParse(value);
  if (parsed.success) return { pod: value as Pod };
  return { problem: parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'pod'}: ${message}`).join('; ') };
}
