import type { ContainerSpec, PodTemplateSpec } from './kubernetes-object.ts';

/** Volume types that the restricted Pod Security Standard allows. */
const VOLUME_TYPES = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'];

/**
 * What in a pod violates the restricted Pod Security Standard (which includes the baseline).
 * Written from the standard's text (kubernetes.io, "Pod Security Standards"), as far as fields occur here.
 */
export function restrictedViolations(spec: PodTemplateSpec): string[] {
  const violations: string[] = [];
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) if (spec[field] === true) violations.push(field);
  for (const volume of spec.volumes ?? []) {
    const types = Object.keys(volume).filter((key) => key !== 'name');
    for (const type of types) if (!VOLUME_TYPES.includes(type)) violations.push(`volume ${volume.name}: ${type}`);
  }
  const pod = spec.securityContext ?? {};
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    violations.push(...inContainer(container, pod).map((violation) => `container ${container.name}: ${violation}`));
  }
  return violations;
}

function inContainer({ securityContext: own = {}, ports = [] }: ContainerSpec, pod: Readonly<Record<string, unknown>>): string[] {
  const effective = (field: string): unknown => own[field] ?? pod[field];
  const capabilities = (own['capabilities'] ?? {}) as { add?: readonly string[]; drop?: readonly string[] };
  const seccomp = effective('seccompProfile') as { type?: string } | undefined;
  const rules: readonly (readonly [boolean, string])[] = [
    [own['privileged'] !== true, 'privileged'],
    [own['allowPrivilegeEscalation'] === false, 'allowPrivilegeEscalation must be false'],
    [effective('runAsNonRoot') === true, 'runAsNonRoot must be true'],
    [effective('runAsUser') !== 0, 'runAsUser must not be 0'],
    [capabilities.drop?.includes('ALL') === true, 'capabilities.drop must include ALL'],
    [(capabilities.add ?? []).every((capability) => capability === 'NET_BIND_SERVICE'), 'capabilities.add'],
    [seccomp?.type === 'RuntimeDefault' || seccomp?.type === 'Localhost', 'seccompProfile must be RuntimeDefault or Localhost'],
    [ports.every(({ hostPort = 0 }) => hostPort === 0), 'hostPort'],
  ];
  return rules.flatMap(([holds, rule]) => (holds ? [] : [rule]));
}
