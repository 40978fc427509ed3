import { createCertificateAuthority, issueServerCertificate } from '../../runtime/tls.ts';

export interface ServerCertificate {
  readonly certPem: string;
  readonly keyPem: string;
  /** What a client trusts. */
  readonly caPem: string;
}

const SERVER = { commonName: 'localhost', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] };

/** A certificate for `localhost` and `127.0.0.1`, of an authority that nobody keeps. */
export async function createServerCertificate(): Promise<ServerCertificate> {
  const authority = await createCertificateAuthority('test', Date.now(), 1);
  const { certificatePem, privateKeyPem } = await issueServerCertificate(authority, SERVER, Date.now(), 1);
  return { certPem: certificatePem, keyPem: privateKeyPem, caPem: authority.certificatePem };
}
