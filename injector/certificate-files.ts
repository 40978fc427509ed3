import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readNamedFile } from '../runtime/files.ts';
import { StartupError } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/logger.ts';
import type { KeyedCertificate } from '../runtime/tls.ts';

export interface CertificateFiles {
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
}

export interface WatchedCertificate {
  current(): KeyedCertificate;
  /** Unix milliseconds. */
  expiresAtMs(): number;
  close(): void;
}

/**
 * Reads a certificate and its key, and again every `everyMs`, because mounted Secrets are replaced in place.
 * A pair that does not fit is not used: the last good one stays.
 * @throws {StartupError} when the first pair cannot be used.
 */
export function watchCertificate(
  files: CertificateFiles,
  everyMs: number,
  onChange: (certificate: KeyedCertificate) => void,
  logger: Logger,
): WatchedCertificate {
  let certificate = readPair(files);
  const reload = (): void => {
    try {
      const next = readPair(files);
      if (next.certificatePem === certificate.certificatePem && next.privateKeyPem === certificate.privateKeyPem) return;
      certificate = next;
      onChange(next);
      logger.info({ expires: new X509Certificate(next.certificatePem).validTo }, 'the certificate was replaced');
    } catch (error) {
      if (!(error instanceof StartupError)) throw error;
      logger.error({ problem: error.message }, 'the new certificate cannot be used; the one in use stays');
    }
  };
  const timer = setInterval(reload, everyMs).unref();
  return {
    current: () => certificate,
    expiresAtMs: () => new X509Certificate(certificate.certificatePem).validToDate.getTime(),
    close: () => clearInterval(timer),
  };
}

function readPair({ tlsCertFile, tlsKeyFile }: CertificateFiles): KeyedCertificate {
  const certificatePem = readNamedFile(tlsCertFile, 'SIDEGATE_TLS_CERT_FILE');
  const privateKeyPem = readNamedFile(tlsKeyFile, 'SIDEGATE_TLS_KEY_FILE');
  let fits: boolean;
  try {
    fits = new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch (error) {
    throw new StartupError(`${tlsCertFile} and ${tlsKeyFile}: ${(error as Error).message}`, { cause: error });
  }
  if (!fits) throw new StartupError(`${tlsKeyFile} is not the key of ${tlsCertFile}`);
  return { certificatePem, privateKeyPem };
}
