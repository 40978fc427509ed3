import { isIP } from 'node:net';
import { createCertificateAuthority, issueServerCertificate, type KeyedCertificate } from '../runtime/tls.ts';

const AUTHORITY_DAYS = 3_650;
const SERVER_DAYS = 365;

export interface CertificateNames {
  /** Namespace that the policy service and the injector run in. */
  readonly namespace: string;
  /** Further names and addresses for the policy service's certificate, for use outside of a cluster. */
  readonly policyNames: readonly string[];
}

export interface ServerCertificates {
  readonly extauthz: KeyedCertificate;
  readonly injector: KeyedCertificate;
}

/** Makes the certificate authority of one installation, for ten years. */
export function createAuthority(nowMs: number): Promise<KeyedCertificate> {
  return createCertificateAuthority('Sidegate', nowMs, AUTHORITY_DAYS);
}

/** Certifies the two services of an installation by the names that Kubernetes gives them, for a year. */
export async function issueServers(
  authority: KeyedCertificate,
  { namespace, policyNames }: CertificateNames,
  nowMs: number,
): Promise<ServerCertificates> {
  const addresses = policyNames.filter((name) => isIP(name) !== 0);
  const names = policyNames.filter((name) => isIP(name) === 0);
  return {
    extauthz: await issueServerCertificate(
      authority,
      {
        commonName: 'sidegate-extauthz',
        dnsNames: [...serviceNames('sidegate-extauthz', namespace), ...names],
        ipAddresses: addresses,
      },
      nowMs,
      SERVER_DAYS,
    ),
    injector: await issueServerCertificate(
      authority,
      { commonName: 'sidegate-injector', dnsNames: serviceNames('sidegate-injector', namespace), ipAddresses: [] },
      nowMs,
      SERVER_DAYS,
    ),
  };
}

/** The names a Service answers to. The API server calls webhooks by the second. */
function serviceNames(service: string, namespace: string): string[] {
  return [service, `${service}.${namespace}.svc`, `${service}.${namespace}.svc.cluster.local`];
}
