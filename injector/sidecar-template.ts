import { X509Certificate } from 'node:crypto';
import { StartupError } from '../runtime/lifecycle.ts';
import { formatAddress } from '../runtime/setting-types.ts';
import type { SidecarTemplateConfig } from './config.ts';
import type { SidecarTemplate } from './sidecar-container.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * The configured sidecar.
 * @param caFileText the text of the configured CA file. Only its certificates go into pods: the file may hold more, such as a key.
 * @throws {StartupError} when it holds no certificate, or one that cannot be read.
 */
export function sidecarTemplate(config: SidecarTemplateConfig, caFileText: string): SidecarTemplate {
  return {
    image: config.image,
    policyAddress: formatAddress(config.policyAddress),
    policyCaPem: certificatesIn(caFileText, config.policyCaFile),
    policyServerName: config.policyServerName,
    audience: config.workloadAudience,
    otlpEndpoint: config.sidecarOtlpEndpoint,
    logLevel: config.sidecarLogLevel,
  };
}

function certificatesIn(text: string, file: string): string {
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) throw new StartupError(`SIDEGATE_POLICY_CA_FILE: ${file} holds no certificate`);
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (cause) {
    throw new StartupError(`SIDEGATE_POLICY_CA_FILE: ${file}: ${(cause as Error).message}`, { cause });
  }
  return certificates.map((certificate) => `${certificate}\n`).join('');
}
