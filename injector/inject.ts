import { agentVariables, variableClashes, withAgentVariables } from './agent-env.ts';
import { MARKS, MAX_SERVERS, serversOf, wishOf } from './annotations.ts';
import { findCollisions } from './collisions.ts';
import type { Container, Pod, Volume } from './pod.ts';
import type { Refusal } from './refusal.ts';
import { SIDECAR_NAME, type SidecarTemplate, sidecarContainer, sidecarVolumes, VOLUME_NAMES } from './sidecar-container.ts';

export type Injection =
  | { readonly kind: 'injected'; readonly pod: Pod; readonly warnings: readonly string[] }
  /** The pod's label says no. The pod is marked, so that the exception can be found. */
  | { readonly kind: 'opted-out'; readonly pod: Pod; readonly warnings: readonly string[] }
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[] };

/**
 * Adds the sidecar to a pod: Pod in, Pod out. Doing it twice is doing it once, which the API server relies on (`reinvocationPolicy`).
 *
 * Nothing in the pod can make this skip it: marks that an earlier injection left are overwritten, never believed.
 */
export function inject(pod: Pod, template: SidecarTemplate, version: string): Injection {
  const wish = wishOf(pod);
  if (wish.kind === 'unclear') return { kind: 'refused', refusals: [{ kind: 'label-unclear', value: wish.value }] };
  if (wish.kind === 'opt-out') {
    return {
      kind: 'opted-out',
      pod: withStatus(pod, { injected: false, reason: `${MARKS.inject.key}=disabled` }),
      warnings: [`this pod is not governed: its label ${MARKS.inject.key} is "disabled"`],
    };
  }

  const { names, malformed } = serversOf(pod);
  const refusals: readonly Refusal[] = [
    ...(names.length > MAX_SERVERS ? [{ kind: 'too-many-servers' as const, count: names.length }] : []),
    ...malformed.slice(0, MAX_SERVERS).map((name): Refusal => ({ kind: 'server-name-malformed', name })),
    ...variableClashes(names),
    ...findCollisions(pod, template.audience),
  ];
  if (refusals.length > 0) return { kind: 'refused', refusals };

  const warnings: string[] = [];
  const variables = agentVariables(names);
  const governed = (container: Container): Container => {
    const { container: result, overwritten } = withAgentVariables(container, variables);
    for (const name of overwritten) warnings.push(`container ${container.name}: ${name} now points to the sidecar`);
    return result;
  };
  const { initContainers, containers, volumes } = pod.spec;
  const others = (initContainers ?? []).filter(({ name }) => name !== SIDECAR_NAME);
  const injected: Pod = {
    ...pod,
    spec: {
      ...pod.spec,
      // First, so that every other init container already goes through it.
      initContainers: [sidecarContainer(template), ...others.map(governed)],
      containers: containers.map(governed),
      volumes: withVolumes(volumes ?? [], sidecarVolumes(template)),
    },
  };
  const status = { injected: true, version, containers: [SIDECAR_NAME], volumes: VOLUME_NAMES };
  return { kind: 'injected', pod: withStatus(injected, status), warnings };
}

function withStatus(pod: Pod, status: unknown): Pod {
  const annotations = { ...pod.metadata?.annotations, [MARKS.status.key]: JSON.stringify(status) };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

/** Replaces volumes of the same name where they are and appends the rest, so that a second injection moves nothing. */
function withVolumes(volumes: readonly Volume[], ours: readonly Volume[]): Volume[] {
  const byName = new Map(ours.map((volume) => [volume.name, volume]));
  const kept = volumes.map((volume) => byName.get(volume.name) ?? volume);
  return [...kept, ...ours.filter(({ name }) => !volumes.some((volume) => volume.name === name))];
}
