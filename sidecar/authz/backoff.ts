const FIRST_MS = 50;
const LONGEST_MS = 1_000;

/** Waiting time before attempt number `failures` (1 is the first retry): doubling, at most a second, with half of it random. */
export function backoffMs(failures: number, random: () => number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return full / 2 + (full / 2) * random();
}
