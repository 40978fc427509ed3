/** How many servers are asked at the same time. */
const MAX_AT_ONCE = 16;

/** What a promise comes to, or undefined when that takes longer. It goes on unwatched then. */
export function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  promise.catch(() => undefined);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, timeoutMs, undefined);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Does one thing for each of many, a bounded number at once; the results in the same order. */
export async function forEachOf<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const entries = items.entries();
  const work = async () => {
    for (const [index, item] of entries) results[index] = await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(MAX_AT_ONCE, items.length) }, work));
  return results;
}
