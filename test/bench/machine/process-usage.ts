import { readFileSync } from 'node:fs';

export interface ProcessUsage {
  /** CPU time of all threads since the process started, user and system. */
  readonly cpuSeconds: number;
  /** Resident memory. */
  readonly rssMb: number;
}

/** `USER_HZ`, the unit of times in /proc/<pid>/stat; 100 on every processor that Node runs on. */
const TICKS_PER_SECOND = 100;

/** What a process has used, from proc(5); undefined on systems without /proc. */
export function processUsage(pid: number): ProcessUsage | undefined {
  if (process.platform !== 'linux') return undefined;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field, the name, is in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [userTicks, systemTicks] = [Number(fields[11]), Number(fields[12])];
  const rssKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return { cpuSeconds: (userTicks + systemTicks) / TICKS_PER_SECOND, rssMb: rssKb / 1_024 };
}
