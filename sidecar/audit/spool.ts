import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../runtime/logger.ts';

/** With the 5 ms for which records are gathered before they come here, a kill loses the last 20. */
const GATHER_MS = 15;
const RETRY_MS = 500;
const MAX_BATCH_RECORDS = 500;
/** What is sent at once: agents choose the names in a record, and a message that the policy channel does not take would be tried for ever. */
const MAX_REPORT_BYTES = 1_048_576;
/** Records on disk that are in memory as well, since most are delivered within milliseconds. */
const MAX_IN_BOTH = 2_000;
const REFUSALS_KEPT = 1_000;
const BATCH_FILE = /^(\d{16})\.jsonl$/;

export interface AuditSpoolOptions {
  /** Stores a batch with the policy service; rejects when that did not happen. */
  readonly report: (records: readonly Uint8Array[]) => Promise<void>;
  /** Where batches wait on disk; undefined keeps them in memory. */
  readonly dir: string | undefined;
  /** Records that may wait before `isFull`. */
  readonly backlogLimit: number;
  readonly logger: Logger;
}

/** Records that travel together: on disk under a name, in memory, or for a moment both. */
interface Batch {
  readonly count: number;
  readonly file: string | undefined;
  /** Undefined: they are read from the file. */
  readonly records: readonly Uint8Array[] | undefined;
}

/**
 * Takes audit records and delivers each to the policy service at least once, in order, in batches.
 * With a directory, a batch is written there before it is sent and removed when it is acknowledged, so what a stopped
 * or killed sidecar leaves behind is delivered by the next one; a kill loses at most the last 20 ms.
 */
export class AuditSpool {
  readonly #options: AuditSpoolOptions;
  readonly #batches: Batch[] = [];
  #gathered: Uint8Array[] = [];
  #backlog = 0;
  #nextFile = 1;
  #gatherTimer: NodeJS.Timeout | undefined;
  #delivering: Promise<void> | undefined;
  #stopped = false;

  /** Finds the batches that an earlier sidecar left in the directory. */
  constructor(options: AuditSpoolOptions) {
    this.#options = options;
    if (options.dir === undefined) return;
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(options.dir).sort()) {
      const number = BATCH_FILE.exec(name)?.[1];
      if (number === undefined) continue;
      const file = join(options.dir, name);
      this.#enqueue({ count: readBatch(file).length, file, records: undefined });
      this.#nextFile = Number(number) + 1;
    }
    if (this.#batches.length > 0) options.logger.info({ records: this.#backlog }, 'delivering audit records of an earlier run');
  }

  /** Records not acknowledged yet. */
  get backlog(): number {
    return this.#backlog + this.#gathered.length;
  }

  /** Whether so much waits that no new message may be let through. */
  get isFull(): boolean {
    return this.backlog >= this.#options.backlogLimit;
  }

  /**
   * Takes a record as JSON. Far beyond the limit a record of nothing but a refusal is dropped and logged: those must not fill the disk.
   * @param isRefusal whether nothing was forwarded; how much can be is bounded by the limit
   */
  add(record: string, isRefusal: boolean): void {
    if (isRefusal && this.backlog >= this.#options.backlogLimit + REFUSALS_KEPT) {
      this.#options.logger.warn({ record }, 'an audit record was dropped: too many are waiting');
      return;
    }
    this.#gathered.push(Buffer.from(record));
    if (this.#gathered.length >= MAX_BATCH_RECORDS) this.#close();
    else this.#gatherTimer ??= setTimeout(() => this.#close(), GATHER_MS);
  }

  /** Delivers what waits, for at most `timeoutMs`; what is left then stays in the directory. */
  async stop(timeoutMs: number): Promise<void> {
    this.#close();
    await Promise.race([this.#delivering, sleep(timeoutMs)]);
    this.#stopped = true;
    if (this.#backlog > 0) {
      const { dir, logger } = this.#options;
      const fate =
        dir === undefined ? 'audit records are lost: there is no SIDEGATE_STATE_DIR to keep them' : 'audit records wait for the next start';
      logger[dir === undefined ? 'error' : 'warn']({ records: this.#backlog }, fate);
    }
  }

  /** Turns what was gathered into a batch and sees that it is delivered. */
  #close(): void {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    if (this.#gathered.length === 0) return this.#deliverSoon();
    const records = this.#gathered;
    this.#gathered = [];
    this.#enqueue(this.#write(records));
  }

  #write(records: readonly Uint8Array[]): Batch {
    const { dir, logger } = this.#options;
    const inMemory = { count: records.length, file: undefined, records };
    if (dir === undefined) return inMemory;
    const file = join(dir, `${String(this.#nextFile++).padStart(16, '0')}.jsonl`);
    try {
      writeFileSync(file, Buffer.concat(records.flatMap((record) => [record, NEWLINE])), { mode: 0o600 });
      return { count: records.length, file, records: this.#backlog + records.length > MAX_IN_BOTH ? undefined : records };
    } catch (error) {
      logger.error({ err: error, file }, 'cannot write audit records to disk; keeping them in memory');
      return inMemory;
    }
  }

  #enqueue(batch: Batch): void {
    this.#batches.push(batch);
    this.#backlog += batch.count;
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    this.#delivering ??= this.#deliver().finally(() => {
      this.#delivering = undefined;
    });
  }

  async #deliver(): Promise<void> {
    let failing = false;
    while (this.#batches.length > 0 && !this.#stopped) {
      const together = this.#nextBatches();
      try {
        const records = together.flatMap((batch) => batch.records ?? readBatch(batch.file ?? ''));
        for (const report of reportsOf(records)) await this.#options.report(report);
      } catch (error) {
        if (!failing) this.#options.logger.warn({ err: error, backlog: this.backlog }, 'cannot deliver audit records; trying again');
        failing = true;
        await sleep(RETRY_MS, undefined, { ref: false });
        continue;
      }
      failing = false;
      this.#batches.splice(0, together.length);
      for (const { count, file } of together) {
        this.#backlog -= count;
        if (file !== undefined) rmSync(file, { force: true });
      }
    }
  }

  /** The oldest batch, and those after it that fit beside it: what gathered in small pieces during an outage leaves in large ones. */
  #nextBatches(): readonly Batch[] {
    let records = 0;
    let batches = 0;
    for (const { count } of this.#batches) {
      records += count;
      if (batches > 0 && records > MAX_BATCH_RECORDS) break;
      batches += 1;
    }
    return this.#batches.slice(0, batches);
  }
}

const NEWLINE = Buffer.from('\n');

/** Records in order, in pieces of at most `MAX_REPORT_BYTES`, or of one record that is larger. */
function reportsOf(records: readonly Uint8Array[]): Uint8Array[][] {
  const reports: Uint8Array[][] = [];
  let bytes = 0;
  for (const record of records) {
    const last = reports.at(-1);
    if (last === undefined || bytes + record.length > MAX_REPORT_BYTES) {
      reports.push([record]);
      bytes = 0;
    } else last.push(record);
    bytes += record.length;
  }
  return reports;
}

/** The records in a batch file. A last line without its end was cut off by a kill; it cannot be recovered. */
function readBatch(file: string): Uint8Array[] {
  const text = readFileSync(file, 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== '')
    .map((line) => Buffer.from(line));
}
