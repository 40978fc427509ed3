import type { CallOutcome, SeenServer } from './report.ts';

/** One connected MCP client, whichever SDK line it comes from. */
export interface Connection {
  /** Lists everything, page by page. */
  look(server: string): Promise<SeenServer>;
  call(tool: string, toolArguments: Readonly<Record<string, unknown>>): Promise<CallOutcome>;
  close(): Promise<void>;
}

/** The name and version the agent gives itself. */
export const CLIENT_INFO = { name: 'example-agent', version: '1.0.0' };

/** Collects the pages of one list. */
export async function everyPage<P extends { nextCursor?: string | undefined }, I>(
  page: (cursor: string | undefined) => Promise<P>,
  items: (page: P) => readonly I[],
): Promise<I[]> {
  const all: I[] = [];
  let cursor: string | undefined;
  do {
    const next = await page(cursor);
    all.push(...items(next));
    cursor = next.nextCursor;
  } while (cursor !== undefined);
  return all;
}

/** A tool result as the report shows it: its text parts joined. */
export function toOutcome(result: Readonly<Record<string, unknown>>): CallOutcome {
  const content = Array.isArray(result['content']) ? (result['content'] as readonly { type: string; text?: string }[]) : [];
  const text = content.flatMap((part) => (part.type === 'text' && part.text !== undefined ? [part.text] : [])).join('\n');
  return { kind: 'result', isError: result['isError'] === true, text, structured: result['structuredContent'] ?? null };
}

/** An SDK error as the report shows it. Both lines put the JSON-RPC code and data on the error; v1 also prefixes the message. */
export function toErrorOutcome(error: unknown): CallOutcome {
  if (!(error instanceof Error)) throw error;
  const { code, data } = error as Error & { code?: unknown; data?: unknown };
  return {
    kind: 'error',
    code: typeof code === 'number' ? code : undefined,
    message: error.message.replace(/^MCP error -?\d+: /, ''),
    data: data ?? null,
  };
}
