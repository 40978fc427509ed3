import { metrics } from '@opentelemetry/api';
import type { Outcome } from './review.ts';

/** What the injector counts. Prometheus names are pinned in the tests. */
export interface InjectorMetrics {
  /** @param durationS seconds from the request read to the answer ready. */
  reviewed(outcome: Outcome | 'malformed' | 'fault', dryRun: boolean, durationS: number): void;
}

/**
 * Creates the instruments. Call after telemetry has started: instruments made before belong to nobody.
 * @param certificateExpiryMs when the served certificate expires, asked at each scrape.
 */
export function createInjectorMetrics(certificateExpiryMs: () => number): InjectorMetrics {
  const meter = metrics.getMeter('sidegate.injector');
  const reviews = meter.createCounter('sidegate.injector.reviews', { description: 'Admission requests answered, by outcome.' });
  const duration = meter.createHistogram('sidegate.injector.duration', { unit: 's', description: 'Time to answer one admission request.' });
  meter
    .createObservableGauge('sidegate.injector.certificate.expiry', {
      unit: 's',
      description: 'When the webhook’s certificate expires, Unix time.',
    })
    .addCallback((result) => result.observe(certificateExpiryMs() / 1_000));
  return {
    reviewed(outcome, dryRun, durationS) {
      reviews.add(1, { outcome, dry_run: dryRun });
      duration.record(durationS, { outcome });
    },
  };
}
