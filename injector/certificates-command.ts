import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readNamedFile } from '../runtime/files.ts';
import { StartupError } from '../runtime/lifecycle.ts';
import type { KeyedCertificate } from '../runtime/tls.ts';
import { createAuthority, issueServers } from './certificates.ts';

export const CERTIFICATES_HELP = `Usage: sidegate injector certificates --out DIR [OPTIONS]

Makes a certificate authority and the certificates of the policy service and the injector, as PEM files:

  ca.crt  ca.key  extauthz.crt  extauthz.key  injector.crt  injector.key

An authority that is in DIR already is used again, so running this once more renews the two certificates.
Keep ca.key out of the cluster and out of version control.

      --out DIR         where the files go; made when it does not exist
      --namespace NAME  where Sidegate is installed (sidegate-system)
      --name NAME       a further name or address of the policy service; may be repeated
  -h, --help
`;

/** A DNS label (RFC 1123), which is what a namespace's name is. */
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?)*$/;

export interface CertificatesCommand {
  readonly out: string;
  readonly namespace: string;
  readonly policyNames: readonly string[];
}

/**
 * @throws {TypeError} when an option is unknown or lacks its value.
 * @returns the command, or what is wrong with its options.
 */
export function parseCertificatesCommand(args: readonly string[]): CertificatesCommand | { readonly problem: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      out: { type: 'string' },
      namespace: { type: 'string', default: 'sidegate-system' },
      name: { type: 'string', multiple: true, default: [] },
    },
  });
  if (values.out === undefined) return { problem: 'certificates: --out is required' };
  if (!NAMESPACE.test(values.namespace)) return { problem: `certificates: "${values.namespace}" is not a namespace's name` };
  const bad = values.name.find((name) => isIP(name) === 0 && !HOST_NAME.test(name));
  if (bad !== undefined) return { problem: `certificates: "${bad}" is neither a host name nor an address` };
  return { out: values.out, namespace: values.namespace, policyNames: values.name };
}

/**
 * Writes the files; private keys are readable by their owner only.
 * @returns one line for each file.
 * @throws {StartupError} when the authority in the directory is incomplete or unreadable, or a file cannot be written.
 */
export async function writeCertificates({ out, ...names }: CertificatesCommand, nowMs: number): Promise<string[]> {
  const known = storedAuthority(out, nowMs);
  const authority = known ?? (await createAuthority(nowMs));
  const servers = await issueServers(authority, names, nowMs);
  const lines: string[] = [];
  const write = (name: string, { certificatePem, privateKeyPem }: KeyedCertificate): void => {
    for (const [extension, text, mode] of [['crt', certificatePem, 0o644] as const, ['key', privateKeyPem, 0o600] as const]) {
      const path = join(out, `${name}.${extension}`);
      writeFileSync(path, text, { mode });
      lines.push(path);
    }
  };
  try {
    mkdirSync(out, { recursive: true });
    if (known === undefined) write('ca', authority);
    write('extauthz', servers.extauthz);
    write('injector', servers.injector);
  } catch (error) {
    throw new StartupError(`--out: cannot write in ${out}: ${(error as NodeJS.ErrnoException).code}`);
  }
  return lines;
}

/** @throws {StartupError} when there is half an authority, or one whose two halves do not belong together. */
function storedAuthority(out: string, nowMs: number): KeyedCertificate | undefined {
  const [certificate, key] = [join(out, 'ca.crt'), join(out, 'ca.key')];
  if (!existsSync(certificate) && !existsSync(key)) return undefined;
  const certificatePem = readNamedFile(certificate, '--out');
  const privateKeyPem = readNamedFile(key, '--out');
  const problem = authorityProblem(certificatePem, privateKeyPem, nowMs);
  if (problem !== undefined) throw new StartupError(`the certificate authority in ${out} cannot be used: ${problem}`);
  return { certificatePem, privateKeyPem };
}

function authorityProblem(certificatePem: string, privateKeyPem: string, nowMs: number): string | undefined {
  try {
    const certificate = new X509Certificate(certificatePem);
    if (!certificate.ca) return 'ca.crt is not an authority’s';
    if (certificate.validToDate.getTime() <= nowMs) return `ca.crt expired at ${certificate.validTo}`;
    return certificate.checkPrivateKey(createPrivateKey(privateKeyPem)) ? undefined : 'ca.key is not the key of ca.crt';
  } catch (error) {
    return (error as Error).message;
  }
}
