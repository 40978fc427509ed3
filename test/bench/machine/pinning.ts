import { spawnSync } from 'node:child_process';

/** Which processor each part of the bench runs on; undefined where they cannot be told apart. */
export interface Pinning {
  readonly gateway: number | undefined;
  readonly load: number | undefined;
  readonly upstream: number | undefined;
  readonly policyService: number | undefined;
  /** For the report. */
  readonly note: string;
}

/** Expands a list such as `0-2,5`. */
export function processorsIn(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/**
 * The gateway gets a processor to itself; load, upstream and policy service share the others.
 * @param allowed what `taskset` says this process may use; undefined without it
 */
export function choosePinning(allowed: readonly number[] | undefined): Pinning {
  const [gateway, load, third, fourth] = allowed ?? [];
  if (gateway === undefined || load === undefined) {
    const why = allowed === undefined ? 'taskset is not installed' : 'there is one processor';
    return { gateway: undefined, load: undefined, upstream: undefined, policyService: undefined, note: `nothing is pinned: ${why}` };
  }
  const upstream = third ?? load;
  const policyService = fourth ?? upstream;
  const note = `gateway on processor ${gateway}, load on ${load}, upstream on ${upstream}, policy service on ${policyService}`;
  return { gateway, load, upstream, policyService, note };
}

export function detectPinning(): Pinning {
  const { status, stdout } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
  const list = status === 0 ? /: ([\d,-]+)\s*$/.exec(stdout)?.[1] : undefined;
  return choosePinning(list === undefined ? undefined : processorsIn(list));
}

/** A command line that runs on one processor. `taskset` replaces itself, so the process id is the command's own. */
export function pinned(processor: number | undefined, command: readonly [string, ...string[]]): [string, ...string[]] {
  return processor === undefined ? [...command] : ['taskset', '-c', String(processor), ...command];
}
