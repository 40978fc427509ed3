import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPolicyEngine } from '../../../extauthz/policy/engine.ts';
import { type BundleData, bundleFiles } from './bundle-files.ts';
import { loadBundle, principalOf } from './load-bundle.ts';

const REGISTRY = {
  'servers/s.yaml': '{name: s, url: "http://127.0.0.1:1/mcp", tools: s.json}',
  'servers/s.json': [
    { name: 't', inputSchema: { type: 'object', properties: { x: { type: 'string' }, n: { type: 'integer' } }, required: ['x', 'n'] } },
  ],
};
const PERMIT = 'permit (principal, action == Action::"s/t", resource);';

function bundleWith(condition: string): BundleData {
  return { ...REGISTRY, 'policies/p.cedar': `${PERMIT}\nforbid (principal, action == Action::"s/t", resource) when { ${condition} };` };
}

function decide(bundle: ReturnType<typeof loadBundle>): string {
  const params = Buffer.from('{"arguments":{"x":"y","n":1}}');
  const principal = principalOf('u');
  assert.deepEqual(bundle.visible({ principal, server: 's', action: 'CallTool', names: ['t'], nowMs: 0 }), [true]);
  return bundle.evaluate({ principal, server: 's', operation: { action: 'CallTool', target: 't' }, params, nowMs: 0 }).effect;
}

/** Ways to nest, by how often. No condition holds for the arguments that are asked about. */
const WAYS: Record<string, (n: number) => string> = {
  or: (n) => Array.from({ length: n }, (_, index) => `context.input.x == "${index}"`).join(' || '),
  and: (n) => `${Array.from({ length: n }, (_, index) => `context.input.x != "${index}"`).join(' && ')} && context.input.n == 2`,
  plus: (n) => `context.input.n${' + 1'.repeat(n)} == 0`,
  if: (n) => `${'if context.input.n == 2 then true else '.repeat(n)}false`,
  not: (n) => `${'!(context.input.n == 2 || '.repeat(n)}${n % 2 === 0 ? 'false' : 'true'}${')'.repeat(n)}`,
  brackets: (n) => `${'('.repeat(n)}context.input.n == 2${')'.repeat(n)}`,
  conditions: (n) => Array(n).fill('context.input.n == 2').join(' } when { '),
  sets: (n) => `${'['.repeat(n)}context.input.n${']'.repeat(n)} == ${'['.repeat(n)}2${']'.repeat(n)}`,
  records: (n) => `${'{a: '.repeat(n)}context.input.n${'}'.repeat(n)} == ${'{a: '.repeat(n)}2${'}'.repeat(n)}`,
  functions: (n) => `datetime("2026-01-01")${'.offset(duration("1h"))'.repeat(n)} == datetime("2020-01-01") && context.input.n == 2`,
};

describe('policies that would overflow Cedar’s stack never reach it', () => {
  const running = loadBundle(bundleWith('context.input.x == "z"'));

  for (const [way, condition] of Object.entries(WAYS)) {
    test(`${way}: a sensible depth works`, () => {
      assert.equal(decide(loadBundle(bundleWith(condition(20)))), 'allow');
    });

    test(`${way}: at every depth the bundle either works or is refused, and the running one goes on`, () => {
      for (const depth of [30, 36, 40, 44, 48, 52, 60, 100, 200, 500, 1_000, 2_000, 5_000, 20_000]) {
        const loaded = createPolicyEngine().load(bundleFiles(bundleWith(condition(depth))));
        if (loaded.ok) assert.equal(decide(loaded.value), 'allow');
        else
          assert.deepEqual(
            loaded.failure.map(({ file, line }) => ({ file, line })),
            [{ file: 'policies/p.cedar', line: 2 }],
          );
        assert.equal(loaded.ok && depth > 100, false, `depth ${depth} was accepted`);
        assert.equal(decide(running), 'allow');
      }
    });
  }

  test('the refusal says what to do', () => {
    const loaded = createPolicyEngine().load(bundleFiles(bundleWith(WAYS['or']?.(60) ?? '')));
    const advice = 'write alternatives as a set, `[a, b, c].contains(x)`, or split the policy';
    assert.deepEqual(loaded, {
      ok: false,
      failure: [{ file: 'policies/p.cedar', line: 2, reason: `operators are nested more than 50 deep; ${advice}` }],
    });
  });

  test('and that works: sets and views of thousands', () => {
    const names = Array.from({ length: 5_000 }, (_, index) => `user-${index}`);
    const set = `[${names.map((name) => `"${name}"`).join(', ')}].contains(context.input.x)`;
    assert.equal(decide(loadBundle(bundleWith(set))), 'allow');
    const view = { name: 'v', allow_tools: ['s.t'], users: [...names, 'u'], groups: names };
    assert.equal(decide(loadBundle({ ...REGISTRY, 'views/v.yaml': JSON.stringify(view) })), 'allow');
  });

  test('arguments as large as a message may be do no harm', () => {
    const bundle = loadBundle({
      ...REGISTRY,
      'servers/s.json': [
        { name: 't', inputSchema: { type: 'object', properties: { list: { type: 'array', items: { type: 'string' } } } } },
      ],
      'policies/p.cedar': `${PERMIT} forbid (principal, action == Action::"s/t", resource)
        when { context.input has list && context.input.list.contains("no") };`,
    });
    const ask = (list: readonly string[]) => {
      const params = Buffer.from(JSON.stringify({ arguments: { list } }));
      const { effect, code } = bundle.evaluate({
        principal: principalOf('u'),
        server: 's',
        operation: { action: 'CallTool', target: 't' },
        params,
        nowMs: 0,
      });
      return code ?? effect;
    };
    const many = (count: number) => Array.from({ length: count }, (_, index) => String(index));
    assert.deepEqual([ask(many(990)), ask([...many(990), 'no'])], ['allow', 'forbidden']);
    // Each value costs Cedar time, so that there is an end to how many are judged.
    assert.deepEqual([ask(many(1_000)), ask(many(400_000))], ['invalid_arguments', 'invalid_arguments']);
    assert.deepEqual([ask(['x'.repeat(4_000_000)]), ask(['no'])], ['allow', 'forbidden']);
  });
});
