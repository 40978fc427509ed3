import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/**
 * Seconds for which a processor was busy since the machine started, with whatever; undefined where it cannot be told (proc(5), /proc/stat).
 * Interrupts are left out: most of them are our own packets.
 */
export function processorBusySeconds(processor: number | undefined): number | undefined {
  if (processor === undefined || process.platform !== 'linux') return undefined;
  const line = new RegExp(`^cpu${processor} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))?.[1];
  const [user, nice, system, , , , , steal] = (line ?? '').split(' ').map(Number);
  const ticks = (user ?? Number.NaN) + (nice ?? 0) + (system ?? 0) + (steal ?? 0);
  return Number.isNaN(ticks) ? undefined : ticks / TICKS_PER_SECOND;
}
