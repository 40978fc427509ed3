/** What tells the series of one metric apart. Names are those of OpenTelemetry; dots become underscores in the text. */
export type Labels = Readonly<Record<string, string | boolean>>;

export interface CounterSeries {
  add(count: number): void;
}

export interface HistogramSeries {
  observe(value: number): void;
}

/** One metric: the series for each combination of labels, to be looked up once and kept by who counts often. */
export interface Metric<Series> {
  series(labels: Labels): Series;
}

export interface MetricsOptions {
  /** `service.name` and `service.version`. */
  readonly service: string;
  readonly version: string;
  /** Name of the instrumentation scope. */
  readonly scope: string;
}

/** Beyond it all are counted in one series, as OpenTelemetry's SDKs do, so that no caller can fill the memory with labels. */
const MAX_SERIES = 2_000;
const OVERFLOW: Labels = { 'otel.metric.overflow': true };

/**
 * The metrics of one process, in the Prometheus text format and under the names that OpenTelemetry's exporter gives them.
 * Counting into a series that was looked up before takes nanoseconds, where an instrument of the SDK hashes its attributes each time.
 */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #families: (() => string)[] = [];

  constructor(options: MetricsOptions) {
    this.#options = options;
  }

  counter(name: string, description: string): Metric<CounterSeries> {
    const full = `${textName(name)}_total`;
    return this.#family(full, 'counter', description, (labels) => new Count(`${full}{${labels}}`));
  }

  /** A histogram of seconds. */
  histogram(name: string, description: string, boundaries: readonly number[]): Metric<HistogramSeries> {
    const full = `${textName(name)}_seconds`;
    return this.#family(full, 'histogram', description, (labels) => new Buckets(full, labels, boundaries));
  }

  /** A value that is read whenever the text is asked for. */
  gauge(name: string, description: string, read: () => number): void {
    const full = textName(name);
    this.#families.push(() => `${heading(full, 'gauge', description)}${full}{${this.#scopeLabels()}} ${read()}\n`);
  }

  text(): string {
    const { service, version } = this.#options;
    const target = `target_info{${labelText({ 'service.name': service, 'service.version': version })}} 1\n`;
    return `${heading('target_info', 'gauge', 'Target metadata')}${target}${this.#families.map((text) => text()).join('')}`;
  }

  #family<Series extends { text(): string }>(
    name: string,
    type: 'counter' | 'histogram',
    description: string,
    create: (labels: string) => Series,
  ): Metric<Series> {
    const known = new Map<string, Series>();
    const find = (labels: Labels): Series => {
      const key = labelText(labels);
      const found = known.get(key);
      if (found !== undefined) return found;
      if (known.size >= MAX_SERIES && labels !== OVERFLOW) return find(OVERFLOW);
      const made = create([key, this.#scopeLabels()].filter((part) => part !== '').join(','));
      known.set(key, made);
      return made;
    };
    this.#families.push(() =>
      known.size === 0 ? '' : `${heading(name, type, description)}${[...known.values()].map((series) => series.text()).join('')}`,
    );
    return { series: find };
  }

  #scopeLabels(): string {
    const { scope, version } = this.#options;
    return labelText({ 'otel.scope.name': scope, 'otel.scope.version': version });
  }
}

class Count implements CounterSeries {
  readonly #name: string;
  #count = 0;

  constructor(name: string) {
    this.#name = name;
  }

  add(count: number): void {
    this.#count += count;
  }

  text(): string {
    return `${this.#name} ${this.#count}\n`;
  }
}

class Buckets implements HistogramSeries {
  readonly #name: string;
  readonly #labels: string;
  readonly #boundaries: readonly number[];
  /** For each boundary, and for what is above all of them. */
  readonly #counts: number[];
  #sum = 0;

  constructor(name: string, labels: string, boundaries: readonly number[]) {
    this.#name = name;
    this.#labels = labels;
    this.#boundaries = boundaries;
    this.#counts = Array.from({ length: boundaries.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const boundaries = this.#boundaries;
    let at = 0;
    while (at < boundaries.length && value > (boundaries[at] as number)) at += 1;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#sum += value;
  }

  text(): string {
    let below = 0;
    const buckets = this.#counts.map((count, at) => {
      below += count;
      return `${this.#name}_bucket{${this.#labels},le="${this.#boundaries[at] ?? '+Inf'}"} ${below}\n`;
    });
    return `${this.#name}_count{${this.#labels}} ${below}\n${this.#name}_sum{${this.#labels}} ${this.#sum}\n${buckets.join('')}`;
  }
}

function heading(name: string, type: string, description: string): string {
  const unit = name.endsWith('_seconds') ? `# UNIT ${name} s\n` : '';
  return `# HELP ${name} ${description.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n${unit}# TYPE ${name} ${type}\n`;
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${textName(name)}="${escaped(String(value))}"`)
    .join(',');
}

function textName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, '_');
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
