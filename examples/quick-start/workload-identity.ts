import { exportJWK, generateKeyPair, SignJWT } from 'jose';

export const WORKLOAD_ISSUER = 'https://kubernetes.default.svc.cluster.local';
const WORKLOAD_AUDIENCE = 'sidegate-policy';

export interface WorkloadIdentity {
  /** A projected service-account token, as the kubelet would mount it. */
  readonly token: string;
  /** The public keys it is verified with: a JWK Set (RFC 7517 section 5). */
  readonly jwks: string;
}

/**
 * Stands in for the Kubernetes API server: makes the token that says which pod the sidecar is in.
 * In a cluster the kubelet mounts it and renews it every hour; here it lasts as long as the users' tokens.
 */
export async function createWorkloadIdentity(namespace: string, serviceAccount: string, pod: string): Promise<WorkloadIdentity> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const key = { ...(await exportJWK(publicKey)), alg: 'RS256', use: 'sig', kid: 'quick-start' };
  const bound = { namespace, serviceaccount: { name: serviceAccount }, pod: { name: pod } };
  const token = await new SignJWT({ 'kubernetes.io': bound })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid })
    .setIssuer(WORKLOAD_ISSUER)
    .setSubject(`system:serviceaccount:${namespace}:${serviceAccount}`)
    .setAudience([WORKLOAD_AUDIENCE])
    .setIssuedAt()
    .setNotBefore('0s')
    .setExpirationTime('8h')
    .sign(privateKey);
  return { token, jwks: JSON.stringify({ keys: [key] }) };
}
