import type { Measurement, Sample } from '../measure.ts';
import type { RowName } from '../rows.ts';

/** The medians of one row over all rounds. */
export type RowSummary = Sample;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function medianOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : median(known);
}

function summariseMeasurements(measurements: readonly Measurement[]): Measurement {
  const of = (pick: (measurement: Measurement) => number): number => median(measurements.map(pick));
  return {
    calls: measurements.reduce((sum, { calls }) => sum + calls, 0),
    callsPerSecond: of(({ callsPerSecond }) => callsPerSecond),
    p50Us: of(({ p50Us }) => p50Us),
    p99Us: of(({ p99Us }) => p99Us),
    gatewayCpuUs: medianOrNull(measurements.map(({ gatewayCpuUs }) => gatewayCpuUs)),
    gatewayBusy: medianOrNull(measurements.map(({ gatewayBusy }) => gatewayBusy)),
    loadBusy: of(({ loadBusy }) => loadBusy),
    othersBusy: medianOrNull(measurements.map(({ othersBusy }) => othersBusy)),
  };
}

/** Medians, but for `calls`, which are added up. */
export function summarise(samples: ReadonlyMap<RowName, readonly Sample[]>): ReadonlyMap<RowName, RowSummary> {
  return new Map(
    [...samples].map(([name, taken]) => [
      name,
      {
        single: summariseMeasurements(taken.map(({ single }) => single)),
        concurrent: summariseMeasurements(taken.map(({ concurrent }) => concurrent)),
        idleRssMb: medianOrNull(taken.map(({ idleRssMb }) => idleRssMb)),
        usedRssMb: medianOrNull(taken.map(({ usedRssMb }) => usedRssMb)),
        readyMs: medianOrNull(taken.map(({ readyMs }) => readyMs)),
      },
    ]),
  );
}
