import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadBundle, principalOf } from './load-bundle.ts';

const TOOLS = ['t', 'u'];
const INPUT_SCHEMA = {
  type: 'object',
  properties: { n: { type: 'integer' }, s: { type: 'string' }, d: { type: 'number' }, list: { type: 'array', items: { type: 'string' } } },
  required: ['n', 'd', 'list'],
};

/** Conditions without arguments: true, false, depending on who asks or when, and always in error. */
const plain = fc.constantFrom(
  'true',
  'false',
  'principal in Group::"g"',
  'resource.readOnly',
  'context.agent.namespace == "prod"',
  'context.now < datetime("2026-01-01")',
  'User::"ghost".subject == "x"',
);
/** Conditions on arguments, some in error for some arguments. */
const onArguments = fc.constantFrom(
  'context.input.n > 0',
  'context.input.n + 9223372036854775807 > 0',
  'context.input has s',
  '(context.input has s && context.input.s like "a*")',
  'context has input.s',
  'context.input.d.greaterThan(decimal("1.5"))',
  'context.input.list.contains("x")',
  '[context.input.n, 1].containsAll([1, 2])',
  'User::"ghost".subject == (if context.input has s then context.input.s else "")',
  '(context.input.n == 1) == (principal in Group::"g")',
);

const condition = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    plain,
    onArguments,
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `(${a} && ${b})`),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => `(${a} || ${b})`),
    tie('any').map((a) => `!(${a})`),
    fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `(if ${a} then ${b} else ${c})`),
  ),
})).any;

const policy = fc
  .record({
    effect: fc.constantFrom('permit', 'permit', 'forbid'),
    principal: fc.constantFrom('principal', 'principal', 'principal in Group::"g"'),
    action: fc.constantFrom('action in Action::"CallTool"', 'action == Action::"s/t"'),
    clauses: fc.array(fc.tuple(fc.constantFrom('when', 'unless'), condition), { maxLength: 2 }),
  })
  .map(({ effect, principal, action, clauses }) => ({
    effect,
    text: `${effect} (${principal}, ${action}, resource) ${clauses.map(([kind, body]) => `${kind} { ${body} }`).join(' ')};`,
  }));

const input = fc.record(
  {
    n: fc.constantFrom(-1, 0, 1, 2, 5),
    s: fc.constantFrom('', 'abc', 'x'),
    d: fc.constantFrom(0, 1.5, 2.25),
    list: fc.subarray(['x', 'y']),
  },
  { requiredKeys: ['n', 'd', 'list'] },
);

const question = fc.record({
  groups: fc.constantFrom<string[]>([], ['g']),
  agent: fc.constantFrom('prod/a', 'lab/b'),
  nowMs: fc.constantFrom(Date.UTC(2025), Date.UTC(2027)),
  tool: fc.constantFrom(...TOOLS),
  inputs: fc.array(input, { minLength: 1, maxLength: 6 }),
});

function files(policies: string) {
  return {
    'servers/s.yaml': '{name: s, url: "http://127.0.0.1:1/mcp", tools: s.json}',
    'servers/s.json': TOOLS.map((name) => ({ name, inputSchema: INPUT_SCHEMA, annotations: { readOnlyHint: name === 't' } })),
    'policies/p.cedar': policies,
  };
}

/** Loads what Cedar accepts of the generated policies; it refuses those it can prove never to apply. */
function tryLoad(policies: readonly string[]) {
  try {
    return loadBundle(files(policies.join('\n')));
  } catch {
    return undefined;
  }
}

test('whatever a call is allowed, the list shows; what the list shows, some calls are allowed', () => {
  const seen = { allowed: 0, hidden: 0, shown: 0 };
  fc.assert(
    fc.property(
      fc.array(policy, { minLength: 1, maxLength: 5 }),
      fc.array(question, { minLength: 4, maxLength: 8 }),
      (policies, questions) => {
        const bundle = tryLoad(policies.map(({ text }) => text).filter((text) => tryLoad([text]) !== undefined));
        if (bundle === undefined) return;
        for (const { groups, agent, nowMs, tool, inputs } of questions) {
          const asked = { principal: principalOf('u', groups, agent), server: 's', nowMs };
          const [visible] = bundle.visible({ ...asked, action: 'CallTool', names: [tool] });
          if (visible) seen.shown += 1;
          else seen.hidden += 1;
          for (const args of inputs) {
            const params = Buffer.from(JSON.stringify({ name: tool, arguments: args }));
            const verdict = bundle.evaluate({ ...asked, operation: { action: 'CallTool', target: tool }, params });
            if (verdict.effect !== 'allow') continue;
            seen.allowed += 1;
            assert.equal(visible, true, `${tool} is allowed but hidden, for ${JSON.stringify(args)}`);
          }
        }
      },
    ),
    { numRuns: 150 },
  );
  assert.ok(seen.allowed > 200 && seen.hidden > 200 && seen.shown > 100, JSON.stringify(seen));
});

test('a tool under a forbid that no argument can escape is never shown', () => {
  fc.assert(
    fc.property(fc.array(policy, { maxLength: 4 }), question, (policies, { groups, agent, nowMs }) => {
      const good = policies.map(({ text }) => text).filter((text) => tryLoad([text]) !== undefined);
      const bundle = tryLoad([...good, 'forbid (principal, action == Action::"s/t", resource);']);
      assert.ok(bundle);
      assert.deepEqual(
        bundle.visible({ principal: principalOf('u', groups, agent), server: 's', action: 'CallTool', names: ['t'], nowMs }),
        [false],
      );
    }),
    { numRuns: 40 },
  );
});

test('a tool that no permit can reach is never shown', () => {
  fc.assert(
    fc.property(fc.array(policy, { maxLength: 4 }), question, (policies, { groups, agent, nowMs }) => {
      const bundle = tryLoad(
        policies.filter(({ effect, text }) => effect === 'forbid' && tryLoad([text]) !== undefined).map(({ text }) => text),
      );
      assert.ok(bundle);
      assert.deepEqual(
        bundle.visible({ principal: principalOf('u', groups, agent), server: 's', action: 'CallTool', names: TOOLS, nowMs }),
        [false, false],
      );
    }),
    { numRuns: 40 },
  );
});
