import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import cedar from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import { type DecimalValue, extensionValue, Unsure } from '../../../extauthz/policy/cedar-value.ts';
import { Trust } from '../../../extauthz/policy/trust.ts';
import { loadBundle, principalOf } from './load-bundle.ts';

const INPUT_SCHEMA = {
  type: 'object',
  properties: {
    n: { type: 'integer' },
    s: { type: 'string' },
    d: { type: 'number' },
    flag: { type: 'boolean' },
    list: { type: 'array', items: { type: 'string' } },
    numbers: { type: 'array', items: { type: 'number' } },
    o: { type: 'object', properties: { k: { type: 'string' }, n: { type: 'integer' } } },
  },
  required: ['n', 'd', 'list', 'o'],
};
const TOOLS = ['t', 'u'].map((name) => ({ name, annotations: { readOnlyHint: name === 't' }, inputSchema: INPUT_SCHEMA }));

function bundleWith(policies: string, onFault?: (cause: unknown) => void) {
  const files = {
    'servers/s.yaml': '{name: s, url: "http://127.0.0.1:1/mcp", tools: s.tools.json}',
    'servers/s.tools.json': JSON.stringify({ tools: TOOLS }),
    'servers/o.yaml': '{name: o, url: "http://127.0.0.1:2/mcp"}',
    'groups.yaml': 'agents: [{namespace: prod, serviceAccount: agent, groups: [robots]}]',
    'policies/p.cedar': policies,
  };
  return loadBundle(files, onFault);
}

/** Some are true, some false, some in error, for some request or other; a few can be evaluated by Cedar alone. */
const TESTS = [
  'true',
  'principal in Group::"g"',
  'principal in [Group::"h", Group::"i"]',
  'resource in [Server::"o", Server::"s"]',
  'principal is User in Group::"g"',
  '[User::"u", User::"v"].contains(principal)',
  'resource in Server::"s"',
  'resource.readOnly || resource.name == "u"',
  'resource has name && resource.name like "*"',
  'principal.subject like "\\u{1F600}*"',
  'context.agent.namespace == "prod"',
  'context.agent in Group::"robots"',
  'Agent::"prod/agent" in Group::"robots"',
  'User::"ghost".subject == "x"',
  'User::"ghost" in Group::"g"',
  'User::"ghost" has subject',
  'context.now < datetime("2026-01-01")',
  'context.now >= datetime("2025-06-01T12:00:00.000Z")',
  'context.now.toTime() < duration("9h")',
  'action in Action::"CallTool"',
  'action == Action::"s/t"',
  'context.input.n > 0',
  'context.input.n + 9223372036854775807 > 0',
  'context.input.n * 9007199254740991 < 9007199254740993',
  '-context.input.n - 1 <= -1',
  'context.input.n == 9007199254740993',
  'context.input has s',
  '(context.input has s && context.input.s like "a*b\\\\**")',
  '(context.input has s && !(context.input.s like "*a*a"))',
  '(context.input has s && context.input.s like "a*a")',
  'context.input.n + 2 - 9007199254740991 == 2',
  'context has input.s',
  'context.input has o.k && context.input.o.k == "x"',
  '{k: "x", n: 1} == {n: 1, k: "x"}',
  'context.input.d.greaterThan(decimal("1.5"))',
  'context.input.d.lessThanOrEqual(decimal("-0.5"))',
  'context.input.d == decimal("1.50")',
  'context.input.list.contains("x")',
  'context.input.list == ["x", "y", "x"]',
  'context.input.list.isEmpty()',
  '["x", "y", "z"].containsAll(context.input.list)',
  'context.input.list.containsAny(["y", "a*b"])',
  'context.input has numbers && context.input.numbers.contains(decimal("1.5"))',
  '[[1, 2], [2]].contains([2, 1, context.input.n])',
  '(context.input has flag && context.input.flag) == (principal in Group::"g")',
];

const condition = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, depthSize: 'medium' },
    fc.constantFrom(...TESTS),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `((${a}) && (${b}))`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `((${a}) || (${b}))`),
    tie('any').map((a) => `!(${a})`),
    fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `(if (${a}) then (${b}) else (${c}))`),
  ),
})).any;

const policy = fc
  .record({
    annotation: fc.constantFrom('', '', '', '@enforce("shadow") '),
    effect: fc.constantFrom('permit', 'permit', 'forbid'),
    principal: fc.constantFrom(
      'principal',
      'principal',
      'principal in Group::"g"',
      'principal == User::"u"',
      'principal is User in Group::"h"',
    ),
    action: fc.constantFrom(
      'action in Action::"CallTool"',
      'action == Action::"s/t"',
      'action in [Action::"s/t", Action::"s/u", Action::"CallTool"]',
    ),
    resource: fc.constantFrom('resource', 'resource in Server::"s"', 'resource == Tool::"s/t"', 'resource is Tool'),
    clauses: fc.array(fc.tuple(fc.constantFrom('when', 'unless'), condition), { maxLength: 2 }),
  })
  .map(
    ({ annotation, effect, principal, action, resource, clauses }) =>
      `${annotation}${effect} (${principal}, ${action}, ${resource}) ${clauses.map(([kind, body]) => `${kind} { ${body} }`).join(' ')};`,
  );

/** Cedar's validator refuses conditions that can never be true. */
function isUsable(policy: string): boolean {
  try {
    bundleWith(policy);
    return true;
  } catch {
    return false;
  }
}

const question = fc.record({
  user: fc.constantFrom('u', 'v', '\u{1F600}u', 'ill-formed \ud800'),
  groups: fc.subarray(['g', 'h', 'ill-formed \udc00']),
  agent: fc.constantFrom('prod/agent', 'test/agent'),
  tool: fc.constantFrom('t', 'u', 'undeclared'),
  nowMs: fc.constantFrom(0, Date.parse('2025-06-01T12:00:00Z'), Date.parse('2026-03-01T00:00:00Z')),
  input: fc.record(
    {
      n: fc.constantFrom(0, -0, 1, -1, 2, Number.MAX_SAFE_INTEGER),
      s: fc.constantFrom('', 'a', 'ab*', 'a b*c', 'aa', 'abab*', 'a\ud800'),
      d: fc.constantFrom(0, 1.5, -0.5, -1.25, 922337203685477, 12.34567),
      flag: fc.boolean(),
      list: fc.array(fc.constantFrom('x', 'y', 'a*b'), { maxLength: 3 }),
      numbers: fc.array(fc.constantFrom(1, 1.5, -3), { maxLength: 2 }),
      o: fc.record({ k: fc.constantFrom('x', '__proto__') }, { requiredKeys: [] }),
    },
    { requiredKeys: ['n', 'd', 'list', 'o'] },
  ),
});

type Asked = typeof question extends fc.Arbitrary<infer T> ? T : never;

/** Asks the same with and without Cedar, and says whether it was needed. */
function compare(bundle: ReturnType<typeof loadBundle>, { user, groups, agent, tool, nowMs, input }: Asked, about: string) {
  const principal = principalOf(user, groups, agent);
  const params = Buffer.from(JSON.stringify({ name: tool, arguments: input }));
  const both = () => ({
    call: bundle.evaluate({ principal, server: 's', operation: { action: 'CallTool', target: tool }, params, nowMs }),
    shown: bundle.visible({ principal, server: 's', action: 'CallTool', names: ['t', 'u', 'undeclared'], nowMs }),
  });
  const asked = mock.method(cedar, 'statefulIsAuthorized');
  const due = mock.method(Trust.prototype, 'isCheckDue', () => false);
  const ours = both();
  const quick = asked.mock.callCount() === 0;
  const trusted = mock.getter(Trust.prototype, 'isTrusted', () => false);
  try {
    assert.deepEqual(ours, both(), about);
  } finally {
    for (const each of [asked, due, trusted]) each.mock.restore();
  }
  return { quick, allowed: ours.call.effect === 'allow' };
}

describe('conditions evaluated without Cedar', () => {
  test('say exactly what Cedar says, each', () => {
    const questions = fc.sample(question, 100);
    for (const each of TESTS) {
      const text = `permit (principal, action in Action::"CallTool", resource) when { ${each} };`;
      const bundle = bundleWith(text);
      for (const asked of questions) compare(bundle, asked, text);
    }
  });

  test('leave decimals to Cedar that it cannot hold', () => {
    for (const text of ['922337203685477.5808', '999999999999999.9', '-922337203685478.0'])
      assert.throws(() => extensionValue('decimal', text), Unsure, text);
    assert.equal(String((extensionValue('decimal', '922337203685477.5807') as DecimalValue).tenThousandths), '9223372036854775807');
  });

  test('say exactly what Cedar says, together', () => {
    let [quick, all, allowed] = [0, 0, 0];
    const policies = fc.array(policy, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(policies, fc.array(question, { minLength: 10, maxLength: 10 }), (written, questions) => {
        const usable = written.filter(isUsable);
        fc.pre(usable.length > 0);
        const text = usable.join('\n');
        const bundle = bundleWith(text);
        for (const asked of questions) {
          const came = compare(bundle, asked, text);
          all += 1;
          if (came.quick) quick += 1;
          if (came.allowed) allowed += 1;
        }
      }),
      { numRuns: 200 },
    );
    assert.ok(quick > all / 4, `${quick} of ${all} were answered without Cedar`);
    assert.ok(allowed > all / 100, `${allowed} of ${all} were allowed`);
  });

  test('ask Cedar of none of the usual conditions, but for one answer in a thousand', () => {
    const usual = [
      'permit (principal in Group::"g", action in Action::"CallTool", resource in Server::"s") when { context.input.list.contains("x") };',
      'permit (principal, action == Action::"s/t", resource) when { context.input has s && context.input.s like "a*" };',
      'permit (principal, action == Action::"s/u", resource) when { context.input.n > 5 && context.input.d.lessThan(decimal("10.0")) };',
      'forbid (principal, action, resource) when { context.agent.namespace == "test" && context.now > datetime("2030-01-01") };',
    ];
    const bundle = bundleWith(usual.join('\n'));
    const params = Buffer.from('{"name":"t","arguments":{"n":6,"s":"abc","d":1.5,"list":[],"o":{}}}');
    const asked = mock.method(cedar, 'statefulIsAuthorized');
    try {
      for (let call = 0; call < 2_500; call += 1) {
        const operation = { action: 'CallTool', target: 't' } as const;
        assert.equal(bundle.evaluate({ principal: principalOf('u'), server: 's', operation, params, nowMs: 0 }).effect, 'allow');
      }
      assert.equal(asked.mock.callCount(), 3);
    } finally {
      asked.mock.restore();
    }
  });

  test('give way to Cedar for good when the two disagree', () => {
    const faults: unknown[] = [];
    const bundle = bundleWith('permit (principal, action, resource is Tool);', (cause) => faults.push(cause));
    const refusal = { type: 'success', response: { decision: 'deny', diagnostics: { reason: [], errors: [] } }, warnings: [] };
    const stub = mock.method(cedar, 'statefulIsAuthorized', () => refusal as never);
    try {
      const effects = Array.from({ length: 3 }, () => {
        const operation = { action: 'CallTool', target: 'x' } as const;
        return bundle.evaluate({ principal: principalOf('u'), server: 'o', operation, params: Buffer.alloc(0), nowMs: 0 }).effect;
      });
      assert.deepEqual(effects, ['deny', 'deny', 'deny']);
      assert.equal(stub.mock.callCount(), 3);
      assert.equal(faults.length, 1);
    } finally {
      stub.mock.restore();
    }
  });
});
