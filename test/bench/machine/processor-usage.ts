import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/**
 * Seconds for which some processors were busy since the machine started, with whatever; undefined where it cannot be told
 * (proc(5), /proc/stat). Interrupts are left out: most of them are our own packets.
 */
export function processorsBusySeconds(processors: readonly number[]): number | undefined {
  if (processors.length === 0 || process.platform !== 'linux') return undefined;
  const stat = readFileSync('/proc/stat', 'utf8');
  let ticks = 0;
  for (const processor of processors) {
    const line = new RegExp(`^cpu${processor} (.*)$`, 'm').exec(stat)?.[1];
    const [user, nice, system, , , , , steal] = (line ?? '').split(' ').map(Number);
    ticks += (user ?? Number.NaN) + (nice ?? 0) + (system ?? 0) + (steal ?? 0);
  }
  return Number.isNaN(ticks) ? undefined : ticks / TICKS_PER_SECOND;
}
