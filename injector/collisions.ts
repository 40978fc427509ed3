import type { Container, Pod, PodSpec } from './pod.ts';
import type { Refusal } from './refusal.ts';
import { ADMIN_PORT, AGENT_PORT, SIDECAR_NAME, SIDECAR_UID, TOKEN_VOLUME, VOLUME_NAMES } from './sidecar-container.ts';

const RESERVED_PORTS: readonly number[] = [AGENT_PORT, ADMIN_PORT];

/** What in a pod would break the sidecar, or let another container pose as it or look into it. */
export function findCollisions({ spec }: Pod, audience: string): Refusal[] {
  const refusals: Refusal[] = [];
  if (spec.os?.name === 'windows') refusals.push({ kind: 'windows' });
  if (spec.hostNetwork === true) refusals.push({ kind: 'host-network' });
  if (spec.hostPID === true) refusals.push({ kind: 'host-pid' });
  if (spec.hostIPC === true) refusals.push({ kind: 'host-ipc' });
  if (spec.shareProcessNamespace === true) refusals.push({ kind: 'shared-process-namespace' });
  for (const { name } of spec.containers) {
    if (name === SIDECAR_NAME) refusals.push({ kind: 'container-name-taken', container: name });
  }
  for (const container of otherContainers(spec)) refusals.push(...inContainer(container, spec.securityContext?.runAsUser ?? undefined));
  for (const { name, projected } of spec.volumes ?? []) {
    const ours = name === TOKEN_VOLUME;
    const exposes = projected?.sources?.some(({ serviceAccountToken: token }) => token?.audience === audience) ?? false;
    if (exposes && !ours) refusals.push({ kind: 'token-exposed', volume: name, audience });
  }
  return refusals;
}

/** Every container but the sidecar of an earlier injection, which is about to be replaced. */
export function otherContainers({ containers, initContainers }: PodSpec): Container[] {
  return [...(initContainers ?? []).filter(({ name }) => name !== SIDECAR_NAME), ...containers];
}

function inContainer({ name: container, ports, securityContext, volumeMounts }: Container, podUser: number | undefined): Refusal[] {
  const refusals: Refusal[] = [];
  const taken = (ports ?? []).flatMap((port) => [port.containerPort, port.hostPort ?? undefined]);
  for (const port of RESERVED_PORTS) {
    if (taken.includes(port)) refusals.push({ kind: 'port-taken', container, port });
  }
  if (securityContext?.privileged === true) refusals.push({ kind: 'privileged', container });
  if ((securityContext?.runAsUser ?? podUser) === SIDECAR_UID) refusals.push({ kind: 'user-taken', container });
  for (const volume of VOLUME_NAMES) {
    if (volumeMounts?.some(({ name }) => name === volume)) refusals.push({ kind: 'volume-shared', container, volume });
  }
  return refusals;
}
