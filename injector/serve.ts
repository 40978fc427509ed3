import { setTimeout as delay } from 'node:timers/promises';
import { rotatingFile } from '../runtime/files.ts';
import type { Stop } from '../runtime/lifecycle.ts';
import { listen } from '../runtime/listen.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Address, formatAddress } from '../runtime/setting-types.ts';
import { startTelemetry } from '../runtime/telemetry.ts';
import { VERSION } from '../runtime/version.ts';
import { createAdminServer } from './admin.ts';
import { watchCertificate } from './certificate-files.ts';
import type { InjectorConfig } from './config.ts';
import { createInjectorMetrics } from './metrics.ts';
import { createWebhookServer, tlsOptions } from './server.ts';
import { sidecarTemplate } from './sidecar-template.ts';

const CERTIFICATE_CHECK_MS = 10_000;

/**
 * Starts the admission webhook. Each part registers how it stops; they stop in reverse.
 * @returns the addresses actually bound.
 * @throws {StartupError} when something the operator can mend stands in the way.
 */
export async function startInjector(
  config: InjectorConfig,
  logger: Logger,
  onStop: (stop: Stop) => void,
): Promise<{ readonly webhook: Address; readonly admin: Address }> {
  const telemetry = startTelemetry({ service: 'sidegate-injector', version: VERSION });
  onStop(() => telemetry.shutdown());

  const caPem = rotatingFile(config.policyCaFile, 'SIDEGATE_POLICY_CA_FILE', Date.now);
  const template = () => sidecarTemplate(config, caPem());
  template(); // A CA file that cannot be used is better found now than with the first pod.
  const certificate = watchCertificate(config, CERTIFICATE_CHECK_MS, (next) => webhook.setSecureContext(tlsOptions(next)), logger);
  onStop(() => certificate.close());

  let stopping = false;
  const webhook = createWebhookServer({
    certificate: certificate.current(),
    template,
    stopping: () => stopping,
    metrics: createInjectorMetrics(certificate.expiresAtMs),
    logger,
  });
  const notReady = (): string | undefined => {
    if (stopping) return 'stopping';
    return certificate.expiresAtMs() <= Date.now() ? 'the webhook’s certificate has expired' : undefined;
  };
  const admin = createAdminServer({ notReady, metricsText: telemetry.metricsText });
  const adminAddress = await listen(admin, config.adminListen, 'SIDEGATE_INJECTOR_ADMIN_LISTEN');
  onStop(() => {
    admin.close();
    admin.closeAllConnections();
  });

  const webhookAddress = await listen(webhook, config.listen, 'SIDEGATE_INJECTOR_LISTEN');
  onStop(async () => {
    stopping = true;
    // The Service goes on sending requests until it has noticed that this pod is not ready any more.
    await delay(config.drainMs);
    const closed = new Promise<void>((resolve) => webhook.close(() => resolve()));
    webhook.closeIdleConnections();
    await closed;
  });
  logger.info({ webhook: formatAddress(webhookAddress), admin: formatAddress(adminAddress), image: config.image }, 'injector started');
  return { webhook: webhookAddress, admin: adminAddress };
}
