import type { FoundList } from '../mcp/list-filter.ts';

const MAX_NAMES = 10_000;
const MAX_NAME_LENGTH = 1_024;
const MAX_CURSORS = 1_000;

export interface SeenNames {
  readonly names: ReadonlySet<string>;
  /** Whether the list was seen to its last page. */
  readonly isWhole: boolean;
}

/** One page of a list as it was asked for and answered. */
export interface ListPage {
  /** The cursor in the request's `params`; undefined for the first page. */
  readonly cursor: unknown;
  /** The cursor in the result; undefined on the last page. */
  readonly nextCursor: unknown;
}

interface Known {
  readonly names: Set<string>;
  /** Cursors of pages before which every page was seen. */
  readonly cursors: Set<string>;
  isWhole: boolean;
}

const NOTHING: SeenNames = { names: new Set(), isWhole: false };

/** What servers call their tools, prompts and resources, as far as lists have said that went through this sidecar: what was hidden from users, too. */
export class KnownNames {
  /** By server and list method. */
  readonly #known = new Map<string, Known>();

  /**
   * Takes note of one page of a list, before it is filtered.
   * @param page undefined when nobody knows which page it is
   */
  learn(server: string, { method, names }: FoundList, page: ListPage | undefined): void {
    const key = keyOf(server, method);
    const known = this.#known.get(key) ?? { names: new Set<string>(), cursors: new Set<string>(), isWhole: false };
    this.#known.set(key, known);
    // A last page alone says nothing about the pages before it.
    let isComplete = page !== undefined && (page.cursor === undefined || known.cursors.has(String(page.cursor)));
    for (const name of names) {
      if (known.names.has(name)) continue;
      if (name.length > MAX_NAME_LENGTH || known.names.size >= MAX_NAMES) isComplete = false;
      else known.names.add(name);
    }
    if (!isComplete || page === undefined) return;
    if (page.nextCursor === undefined) known.isWhole = true;
    else if (isKept(page.nextCursor) && known.cursors.size < MAX_CURSORS) known.cursors.add(page.nextCursor);
  }

  of(server: string, method: string): SeenNames {
    const { names, isWhole } = this.#known.get(keyOf(server, method)) ?? NOTHING;
    return { names, isWhole };
  }
}

function isKept(cursor: unknown): cursor is string {
  return typeof cursor === 'string' && cursor.length <= MAX_NAME_LENGTH;
}

function keyOf(server: string, method: string): string {
  return `${server} ${method}`;
}
