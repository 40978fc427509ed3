import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ListToolsResultSchema } from '@modelcontextprotocol/core';
import fc from 'fast-check';
import { parseJsonValue } from '../../../extauthz/api/json-value.ts';
import { filterList, type ListFault, type ListRead, listMethodsIn, readList } from '../../../sidecar/mcp/list-filter.ts';
import { bytesOf, type CaseBytes, readCases } from '../../cases/mcp/read-cases.ts';

interface Case extends CaseBytes {
  readonly name: string;
  readonly asked?: string;
  readonly hide?: readonly string[];
  readonly modern?: boolean;
  readonly want?: string;
  readonly fault?: ListFault['kind'];
}

const CASES = readCases<Case>('list-filter.yaml');
const MAX_TTL_MS = 5_000;

function read(bytes: Uint8Array, asked: string | undefined): ListRead {
  const list = readList(bytes, asked);
  assert.ok(list.ok, JSON.stringify(list));
  return list.value;
}

const allBut = ({ lists }: ListRead, hide: readonly string[]) => lists.map(({ names }) => names.map((name) => !hide.includes(name)));

describe('list filter cases', () => {
  for (const { name, asked, hide = [], modern = false, want, fault, ...given } of CASES) {
    test(name, () => {
      const bytes = bytesOf(given);
      if (fault !== undefined) {
        const list = readList(bytes, asked);
        assert.ok(!list.ok, 'was taken');
        assert.equal(list.failure.kind, fault);
        return;
      }
      const list = read(bytes, asked);
      const filtered = filterList(list, allBut(list, hide), { era: modern ? 'modern' : 'legacy', maxTtlMs: MAX_TTL_MS });
      if (want === undefined) assert.equal(filtered, bytes);
      else assert.equal(Buffer.from(filtered).toString(), want);
    });
  }
});

test('every kind of fault has a case', () => {
  const kinds: ListFault['kind'][] = ['unreadable', 'batch', 'not_a_message', 'case_variant_key', 'not_a_list'];
  assert.deepEqual(
    kinds.filter((kind) => !CASES.some(({ fault }) => fault === kind)),
    [],
  );
});

test('a list of more than any server has is refused before it is built, and a very long one is taken', () => {
  const listOf = (tools: number) => {
    const tool = '{"name":"t","inputSchema":{"type":"object","properties":{"a":{"type":"string"}}}}';
    return Buffer.from(`{"jsonrpc":"2.0","id":1,"result":{"tools":[${Array(tools).fill(tool).join(',')}]}}`);
  };
  assert.ok(readList(listOf(20_000), 'tools/list').ok);
  const refused = readList(listOf(30_000), 'tools/list');
  assert.deepEqual(!refused.ok && refused.failure.kind, 'unreadable');
});

test('what is asked about: each name once, list by list', () => {
  const text =
    '{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"u","name":"x"}],"tools":[{"name":"b"},{"name":"a"},{"name":"b"},{"title":"c"}]}}';
  const { lists } = read(Buffer.from(text), undefined);
  assert.deepEqual(lists, [
    { method: 'tools/list', names: ['b', 'a'] },
    { method: 'resources/list', names: ['u'] },
  ]);
});

test('the shape of a list', () => {
  assert.deepEqual(listMethodsIn({ result: { tools: [], prompts: [], resources: [], resourceTemplates: [] } }), [
    'tools/list',
    'prompts/list',
    'resources/list',
    'resources/templates/list',
  ]);
  for (const other of [
    undefined,
    null,
    [],
    'x',
    {},
    { result: null },
    { result: [] },
    { result: { tools: {} } },
    { params: { tools: [] } },
  ]) {
    assert.deepEqual(listMethodsIn(other), []);
  }
});

test('answers that do not fit the questions are a fault', () => {
  const list = read(Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":"b"}]}}'), 'tools/list');
  for (const visible of [[], [[]], [[true]], [[true, true, true]], [[true, true], []]]) {
    assert.throws(() => filterList(list, visible, { era: 'legacy', maxTtlMs: MAX_TTL_MS }), RangeError);
  }
});

describe('properties', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '"', '\\', ']', ',', 'é', '😀'), maxLength: 3 });
  const extra = fc.dictionary(fc.constantFrom('title', 'inputSchema', 'x"', 'y\\'), fc.jsonValue({ maxDepth: 3 }), {
    noNullPrototype: true,
  });
  const item = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(extra, name).map(([fields, text]) => ({ ...fields, name: text })) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>({}, { name: 1 }, { name: 'a', NAME: 'b' }, null, 'a', ['a']) },
  );
  const answer = fc.record({
    items: fc.array(item, { maxLength: 12 }),
    hide: fc.array(name, { maxLength: 6 }),
    cursor: fc.option(fc.string(), { nil: undefined }),
    cache: fc.constantFrom({}, { cacheScope: 'public' }, { ttlMs: 9e9 }, { ttlMs: 1, cacheScope: 'private' }),
    indent: fc.constantFrom(0, 2),
    modern: fc.boolean(),
  });

  /** The text of each item, as `JSON.stringify` would have placed it, found by a scanner of its own. */
  function itemTexts(text: string): string[] {
    const texts: string[] = [];
    let depth = 0;
    let start = -1;
    for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],]|[^\s"{}[\],]+/g)) {
      const opens = token === '{' || token === '[';
      const closes = token === '}' || token === ']';
      if (closes) depth -= 1;
      if (depth === 3 && token !== ',' && start === -1 && !closes) start = index;
      if (opens) depth += 1;
      else if (depth === 3 && start !== -1) {
        texts.push(text.slice(start, index + token.length));
        start = -1;
      }
    }
    return texts;
  }

  test('no hidden name is left, what is left is as it was and in order, the rest is untouched', () => {
    fc.assert(
      fc.property(answer, ({ items, hide, cursor, cache, indent, modern }) => {
        const result = { ...cache, tools: items, ...(cursor !== undefined && { nextCursor: cursor }), _meta: { big: [1.5] } };
        const text = JSON.stringify({ jsonrpc: '2.0', id: 1, result }, null, indent);
        if (/\\ud[89a-f]/i.test(text)) return;
        const list = read(Buffer.from(text), 'tools/list');
        const filtered = Buffer.from(
          filterList(list, allBut(list, hide), { era: modern ? 'modern' : 'legacy', maxTtlMs: MAX_TTL_MS }),
        ).toString();
        const after = parseJsonValue(filtered) as { id: unknown; result: Record<string, unknown> & { tools: unknown; ttlMs: number } };

        const isShown = (candidate: unknown) => {
          const fields = candidate as { name?: unknown; NAME?: unknown } | null;
          return typeof fields?.name === 'string' && fields.NAME === undefined && !hide.includes(fields.name);
        };
        assert.deepEqual(after.result.tools, parseJsonValue(JSON.stringify(items.filter(isShown))));
        const texts = itemTexts(JSON.stringify({ a: { b: (parseJsonValue(text) as { result: { tools: unknown } }).result.tools } }));
        assert.equal(texts.length, items.length);
        const shownTexts = texts.filter((_text, index) => isShown(items[index]));
        if (indent === 0) assert.ok(filtered.includes(`"tools":[${shownTexts.join(',')}]`));
        else for (const shown of shownTexts) assert.ok(JSON.stringify(after).includes(shown));

        assert.equal(after.result.nextCursor, cursor);
        assert.deepEqual(after.result._meta, { big: [1.5] });
        const shortened = shownTexts.length < items.length;
        const mustCarry = (key: string) => key in cache || (modern && shortened);
        assert.equal(after.result.cacheScope, mustCarry('cacheScope') ? 'private' : undefined);
        if (mustCarry('ttlMs')) assert.ok(after.result.ttlMs <= MAX_TTL_MS);
        assert.equal('ttlMs' in after.result, mustCarry('ttlMs'));

        const again = read(Buffer.from(filtered), 'tools/list');
        assert.equal(filterList(again, allBut(again, hide), { era: modern ? 'modern' : 'legacy', maxTtlMs: MAX_TTL_MS }), again.text.bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a filtered list is still one for the SDK', () => {
    const tool = fc
      .tuple(name, extra)
      .map(([text, { title: _title, ...fields }]) => ({ ...fields, name: text, inputSchema: { type: 'object' } }));
    fc.assert(
      fc.property(fc.array(tool), fc.array(name), (tools, hide) => {
        const text = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools } });
        if (/\\ud[89a-f]/i.test(text)) return;
        const list = read(Buffer.from(text), 'tools/list');
        const filtered = filterList(list, allBut(list, hide), { era: 'modern', maxTtlMs: MAX_TTL_MS });
        const parsed = ListToolsResultSchema.safeParse(JSON.parse(Buffer.from(filtered).toString()).result);
        assert.ok(parsed.success);
        assert.deepEqual(
          parsed.data.tools.map((shown) => shown.name),
          tools.map((each) => each.name).filter((each) => !hide.includes(each)),
        );
      }),
    );
  });
});
