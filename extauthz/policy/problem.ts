/** One reason why a bundle was refused, or one thing in it worth a look. */
export interface BundleProblem {
  /** Bundle-relative path. Empty when the problem belongs to no single file. */
  readonly file: string;
  /** 1-based, or undefined when the problem has no place in the file. */
  readonly line: number | undefined;
  /** A sentence without a full stop, in plain words. */
  readonly reason: string;
}

export function problem(file: string, line: number | undefined, reason: string): BundleProblem {
  return { file, line, reason };
}

/** Orders problems the way a reader walks a bundle: by file, then by line. */
export function inReadingOrder(problems: readonly BundleProblem[]): readonly BundleProblem[] {
  return [...problems].sort((a, b) => compare(a.file, b.file) || (a.line ?? 0) - (b.line ?? 0));
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
