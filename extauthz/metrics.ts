import { metrics } from '@opentelemetry/api';

/** Which protocol a decision was asked through. */
export type Door = 'decide' | 'envoy-check';

/** What the policy service counts. Prometheus names are pinned in the tests. */
export interface ServiceMetrics {
  /** @param durationS seconds from the question read to the answer ready. */
  decided(door: Door, ruling: { readonly effect: string; readonly code: string | undefined }, durationS: number): void;
  bundleRefused(): void;
  auditStored(records: number): void;
  auditMalformed(records: number): void;
}

/**
 * Creates the instruments. Call after telemetry has started: instruments made before belong to nobody.
 * @param revision the revision in force, asked at each scrape; undefined before the first bundle.
 */
export function createMetrics(revision: () => string | undefined): ServiceMetrics {
  const meter = metrics.getMeter('sidegate.extauthz');
  const decisions = meter.createCounter('sidegate.decisions', { description: 'Decisions made, by effect, denial code and door.' });
  const duration = meter.createHistogram('sidegate.decision.duration', { unit: 's', description: 'Time to make one decision.' });
  const refused = meter.createCounter('sidegate.bundle.reload_failures', { description: 'Changed bundles that were refused.' });
  const stored = meter.createCounter('sidegate.audit.records', { description: 'Audit records stored for the first time.' });
  const malformed = meter.createCounter('sidegate.audit.malformed_records', {
    description: 'Reported audit records that could not be read.',
  });
  meter
    .createObservableGauge('sidegate.bundle.info', { description: 'Always 1; its label is the policy revision in force.' })
    .addCallback((result) => {
      const current = revision();
      if (current !== undefined) result.observe(1, { revision: current });
    });
  return {
    decided(door, { effect, code }, durationS) {
      decisions.add(1, { effect, code: code ?? '', door });
      duration.record(durationS, { door });
    },
    bundleRefused: () => refused.add(1),
    auditStored: (records) => stored.add(records),
    auditMalformed: (records) => malformed.add(records),
  };
}
