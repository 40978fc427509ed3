import { MARKS, MAX_SERVERS } from './annotations.ts';
import { SIDECAR_NAME, SIDECAR_UID } from './sidecar-container.ts';

/** Why a pod cannot be injected. It is then not created at all: a governed pod without its gate is what injection exists to prevent. */
export type Refusal =
  | { readonly kind: 'label-unclear'; readonly value: string }
  | { readonly kind: 'server-name-malformed'; readonly name: string }
  | { readonly kind: 'too-many-servers'; readonly count: number }
  | { readonly kind: 'server-names-clash'; readonly names: readonly string[]; readonly variable: string }
  | { readonly kind: 'windows' }
  | { readonly kind: 'host-network' }
  | { readonly kind: 'host-pid' }
  | { readonly kind: 'host-ipc' }
  | { readonly kind: 'privileged'; readonly container: string }
  | { readonly kind: 'shared-process-namespace' }
  | { readonly kind: 'container-name-taken'; readonly container: string }
  | { readonly kind: 'port-taken'; readonly container: string; readonly port: number }
  | { readonly kind: 'user-taken'; readonly container: string }
  | { readonly kind: 'volume-shared'; readonly container: string; readonly volume: string }
  | { readonly kind: 'token-exposed'; readonly volume: string; readonly audience: string };

/** One sentence for whoever applied the pod: what is in the way and, where it is not obvious, why that matters. */
export function refusalText(refusal: Refusal): string {
  switch (refusal.kind) {
    case 'label-unclear':
      return `the label ${MARKS.inject.key} must be "enabled" or "disabled", not ${JSON.stringify(refusal.value)}`;
    case 'server-name-malformed':
      return `${MARKS.servers.key}: ${JSON.stringify(refusal.name)} is not a server name (1 to 63 of a-z, 0-9 and -)`;
    case 'too-many-servers':
      return `${MARKS.servers.key}: ${refusal.count} servers are more than ${MAX_SERVERS}`;
    case 'server-names-clash':
      return `${MARKS.servers.key}: ${refusal.names.join(' and ')} would both become the variable ${refusal.variable}`;
    case 'windows':
      return 'the sidecar runs on Linux only';
    case 'host-network':
      return 'hostNetwork: the sidecar’s ports would be open to every process on the node';
    case 'host-pid':
      return 'hostPID: other containers could look into the sidecar’s process';
    case 'host-ipc':
      return 'hostIPC: other processes of the node could reach the pod’s memory';
    case 'privileged':
      return `container ${refusal.container}: privileged, it could look into the sidecar and take its token`;
    case 'shared-process-namespace':
      return 'shareProcessNamespace: other containers could look into the sidecar’s process';
    case 'container-name-taken':
      return `container ${refusal.container}: the name ${SIDECAR_NAME} is the sidecar’s`;
    case 'port-taken':
      return `container ${refusal.container}: port ${refusal.port} is the sidecar’s`;
    case 'user-taken':
      return `container ${refusal.container}: user ${SIDECAR_UID} is the sidecar’s`;
    case 'volume-shared':
      return `container ${refusal.container}: the volume ${refusal.volume} is for the sidecar alone`;
    case 'token-exposed':
      return `volume ${refusal.volume}: a token with audience ${refusal.audience} would let other containers pose as the sidecar`;
  }
}
