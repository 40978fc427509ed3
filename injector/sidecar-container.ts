import { sidecarSettings } from '../sidecar/config.ts';
import type { Container, EnvVariable, Volume } from './pod.ts';

export const SIDECAR_NAME = 'sidegate';
/** The agent's port, on loopback only, and the kubelet's. */
export const AGENT_PORT = 9400;
export const ADMIN_PORT = 9401;
/** The user and group of the image. A number that images seldom use: no other container of the pod may run as this user. */
export const SIDECAR_UID = 9400;

/** Fixed names: generated ones would make a second injection add a second volume. */
export const TOKEN_VOLUME = 'sidegate-token';
export const STATE_VOLUME = 'sidegate-state';
export const NO_API_TOKEN_VOLUME = 'sidegate-no-api-token';
export const VOLUME_NAMES: readonly string[] = [TOKEN_VOLUME, STATE_VOLUME, NO_API_TOKEN_VOLUME];

const TOKEN_DIRECTORY = '/var/run/secrets/sidegate';
const STATE_DIRECTORY = '/var/lib/sidegate';
const API_TOKEN_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
const TOKEN_LIFETIME_S = 3_600;

/** What differs between installations. */
export interface SidecarTemplate {
  readonly image: string;
  /** `host:port`. */
  readonly policyAddress: string;
  readonly policyCaPem: string;
  readonly policyServerName: string | undefined;
  /** Audience of the projected service-account token. */
  readonly audience: string;
  readonly otlpEndpoint: string | undefined;
  readonly logLevel: string;
}

/**
 * The sidecar as a native sidecar container (an init container that keeps running), fit for the restricted Pod Security Standard.
 *
 * The startup probe holds the other containers back until the first decision can be had. The readiness probe asks only whether the sidecar
 * runs: if it asked for the policy service, an outage there would take every agent out of its Services at once.
 */
export function sidecarContainer(template: SidecarTemplate): Container {
  return {
    name: SIDECAR_NAME,
    image: template.image,
    args: ['sidecar'],
    restartPolicy: 'Always',
    env: environment(template),
    ports: [{ name: 'sidegate-admin', containerPort: ADMIN_PORT, protocol: 'TCP' }],
    startupProbe: { httpGet: { path: '/readyz', port: ADMIN_PORT }, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 120 },
    readinessProbe: { httpGet: { path: '/healthz', port: ADMIN_PORT }, periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 3 },
    resources: {
      requests: { cpu: '50m', memory: '96Mi' },
      limits: { memory: '512Mi' },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: SIDECAR_UID,
      runAsNonRoot: true,
      runAsUser: SIDECAR_UID,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [
      { name: TOKEN_VOLUME, mountPath: TOKEN_DIRECTORY, readOnly: true },
      { name: STATE_VOLUME, mountPath: STATE_DIRECTORY },
      // The API server mounts the pod's API token into every container that has nothing at this path. The sidecar has no use for it.
      { name: NO_API_TOKEN_VOLUME, mountPath: API_TOKEN_DIRECTORY, readOnly: true },
    ],
  };
}

/** The sidecar's volumes. Nothing else in the pod may mount them. */
export function sidecarVolumes({ audience }: SidecarTemplate): Volume[] {
  return [
    {
      name: TOKEN_VOLUME,
      projected: { sources: [{ serviceAccountToken: { audience, expirationSeconds: TOKEN_LIFETIME_S, path: 'token' } }] },
    },
    { name: STATE_VOLUME, emptyDir: { sizeLimit: '1Gi' } },
    { name: NO_API_TOKEN_VOLUME, emptyDir: { sizeLimit: '1Mi' } },
  ];
}

function environment(template: SidecarTemplate): EnvVariable[] {
  const values: readonly (readonly [{ readonly env: string }, string | undefined])[] = [
    [sidecarSettings.listen, `127.0.0.1:${AGENT_PORT}`],
    [sidecarSettings.adminListen, `:${ADMIN_PORT}`],
    [sidecarSettings.policyAddress, template.policyAddress],
    [sidecarSettings.policyCaPem, template.policyCaPem],
    [sidecarSettings.policyServerName, template.policyServerName],
    [sidecarSettings.workloadTokenFile, `${TOKEN_DIRECTORY}/token`],
    [sidecarSettings.stateDir, STATE_DIRECTORY],
    [sidecarSettings.otlpEndpoint, template.otlpEndpoint],
    [sidecarSettings.logLevel, template.logLevel],
  ];
  return values.flatMap(([{ env: name }, value]) => (value === undefined ? [] : [{ name, value: literal(value) }]));
}

/** Kubernetes expands `$(NAME)` in values; `$$` stands for one `$`. */
function literal(value: string): string {
  return value.replaceAll('$', '$$$$');
}
