import type { FoundList } from './mcp/list-filter.ts';

const MAX_NAMES = 10_000;
const MAX_NAME_LENGTH = 1_024;

export interface SeenNames {
  readonly names: ReadonlySet<string>;
  /** Whether the list was seen to its last page. */
  readonly isWhole: boolean;
}

const NOTHING: SeenNames = { names: new Set(), isWhole: false };

/** What servers call their tools, prompts and resources, as far as lists have said that went through this sidecar: what was hidden from users, too. */
export class KnownNames {
  /** By server and list method. */
  readonly #known = new Map<string, { readonly names: Set<string>; isWhole: boolean }>();

  /** Takes note of one page of a list, before it is filtered. */
  learn(server: string, { method, names }: FoundList, isLastPage: boolean): void {
    const key = keyOf(server, method);
    const known = this.#known.get(key) ?? { names: new Set<string>(), isWhole: false };
    this.#known.set(key, known);
    let isComplete = isLastPage;
    for (const name of names) {
      if (known.names.has(name)) continue;
      if (name.length > MAX_NAME_LENGTH || known.names.size >= MAX_NAMES) isComplete = false;
      else known.names.add(name);
    }
    if (isComplete) known.isWhole = true;
  }

  of(server: string, method: string): SeenNames {
    return this.#known.get(keyOf(server, method)) ?? NOTHING;
  }
}

function keyOf(server: string, method: string): string {
  return `${server} ${method}`;
}
