/** What came of one thing that a client did. */
export type Outcome = { readonly value: unknown } | { readonly error: SeenError };

/** An error as an SDK hands it to its caller. */
export interface SeenError {
  readonly type: string;
  readonly code: unknown;
  readonly message: string;
  readonly data: unknown;
}

export async function outcomeOf(run: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { value: comparable(await run()) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { code = null, data = null } = error as Error & { code?: unknown; data?: unknown };
    return { error: comparable({ type: error.constructor.name, code, message: error.message, data }) as SeenError };
  }
}

/** Plain JSON without what two runs of the same server differ in: identifiers and times. */
export function comparable(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null), (key, member: unknown) => {
    if (typeof member !== 'string') return member;
    return withoutChance(key === 'blob' ? readableBlob(member) : member);
  });
}

function withoutChance(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replaceAll(/\b[0-9a-f]{32}\b/g, '<id>')
    .replaceAll(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z/g, '<timestamp>')
    .replaceAll(/\b\d{1,2}:\d{2}:\d{2}( [AP]M)?/g, '<time>');
}

/** The reference server puts the time of day into its base64 resources. */
function readableBlob(base64: string): string {
  const text = Buffer.from(base64, 'base64').toString();
  return /^[\x20-\x7e]*$/.test(text) ? text : base64;
}
