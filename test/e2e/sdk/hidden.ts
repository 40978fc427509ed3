import assert from 'node:assert/strict';

/** What policy hides from bob at one server, by name. */
export interface Hidden {
  readonly tools: readonly string[];
  readonly prompt: string;
  readonly resource: string;
  readonly template: string;
}

export const HIDDEN_OF_EVERYTHING: Hidden = {
  tools: ['get-env', 'get-sum', 'simulate-research-query'],
  prompt: 'completable-prompt',
  resource: 'demo://resource/static/document/architecture.md',
  template: 'demo://resource/dynamic/blob/{resourceId}',
};

export const HIDDEN_OF_MODERN: Hidden = {
  tools: ['vault'],
  prompt: 'secret-plan',
  resource: 'note://closed/1',
  template: 'note://closed/{name}',
};

type List = Record<string, readonly Record<string, unknown>[]>;
type Rewrite = (direct: unknown) => unknown;

/** The list without its hidden items, which the server itself must have. */
function without(itemsKey: string, nameKey: string, hidden: readonly string[]): Rewrite {
  return (direct) => {
    const list = direct as List;
    const items = list[itemsKey] ?? [];
    for (const name of hidden)
      assert.ok(
        items.some((item) => item[nameKey] === name),
        `the server has ${name}`,
      );
    return { ...list, [itemsKey]: items.filter((item) => !hidden.includes(String(item[nameKey]))) };
  };
}

/** What policy makes of each list, by method. */
export function hiddenLists({ tools, prompt, resource, template }: Hidden): ReadonlyMap<string, Rewrite> {
  return new Map([
    ['tools/list', without('tools', 'name', tools)],
    ['prompts/list', without('prompts', 'name', [prompt])],
    ['resources/list', without('resources', 'uri', [resource])],
    ['resources/templates/list', without('resourceTemplates', 'uriTemplate', [template])],
  ]);
}

/** A list that was judged for one user is nobody else's, and is not kept for longer than policy says. Other members stay. */
export function judgedForOne(direct: unknown): unknown {
  return JSON.parse(
    JSON.stringify(direct, (key, value) => {
      if (key === 'ttlMs' && value === 600_000) return 30_000;
      return key === 'cacheScope' ? 'private' : value;
    }),
  );
}
