import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { loadBundle, NO_PARAMS, principalOf } from './load-bundle.ts';

const HOSTILE = [
  'admin"',
  'x" || true || principal == User::"x',
  'User::"root"',
  '"::',
  '\\',
  '\\"',
  'a\nb',
  'a\u0000b',
  'a\u2028b',
  '\u202Eevil',
  '__proto__',
  'constructor',
  'toString',
  '__entity',
  '{"__entity":{"type":"User","id":"root"}}',
  '../root',
  'root\u0000',
  ' root',
  'ROOT',
  'root/',
  '',
  '*',
  '%2F',
  'ро​от',
  '🙂',
  'x'.repeat(100_000),
];

const bundle = loadBundle({
  'servers/s.yaml': '{name: s, url: "http://127.0.0.1:1/mcp", tools: s.json}',
  'servers/s.json': [{ name: 'tool', inputSchema: { type: 'object' } }],
  'servers/t.yaml': '{name: t, url: "http://127.0.0.1:2/mcp"}',
  'policies/p.cedar': `
    permit (principal == User::"root", action in [Action::"CallTool", Action::"CallUndeclaredTool", Action::"GetPrompt"], resource);
    permit (principal in Group::"root", action in Action::"CallTool", resource);
    permit (principal, action, resource) when { context.agent == Agent::"root/root" };
    permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"t/root");
    permit (principal, action == Action::"ReadResource", resource == Resource::"t/root");`,
});

function verdict(user: string, groups: readonly string[], server: string, target: string, agent = 'a/b') {
  const operation = { action: 'CallTool', target } as const;
  return bundle.evaluate({ principal: principalOf(user, groups, agent), server, operation, params: NO_PARAMS, nowMs: 0 });
}

describe('names that others choose', () => {
  test('the names that policies mean are allowed', () => {
    assert.equal(verdict('root', [], 's', 'tool').effect, 'allow');
    assert.equal(verdict('u', ['root'], 's', 'tool').effect, 'allow');
    assert.equal(verdict('u', [], 's', 'tool', 'root/root').effect, 'allow');
    assert.equal(verdict('u', [], 't', 'root').effect, 'allow');
  });

  for (const name of HOSTILE) {
    const shown = JSON.stringify(name.slice(0, 40));
    test(`${shown} is nobody but itself`, () => {
      for (const denied of [
        verdict(name, [], 's', 'tool'),
        verdict('u', [name], 's', 'tool'),
        verdict('u', [], 's', 'tool', `${name}/root`),
        verdict('u', [], 't', name),
        verdict('u', ['root'], 's', name),
      ]) {
        assert.equal(denied.code, 'not_permitted');
        assert.ok(denied.reason.length < 1000);
        assert.doesNotMatch(denied.reason, /[\p{C}\p{Zl}\p{Zp}]/u);
      }
      const asked = { principal: principalOf('u'), server: 't', nowMs: 0 };
      assert.deepEqual(bundle.visible({ ...asked, action: 'CallTool', names: [name, 'root', name] }), [false, true, false]);
      assert.deepEqual(bundle.visible({ ...asked, action: 'ReadResource', names: [name, 'root'] }), [false, true]);
    });
  }

  test('half of a surrogate pair, which Cedar cannot hold, denies', () => {
    assert.deepEqual([verdict('\ud800', [], 's', 'tool').code, verdict('u', [], 't', '\udc00root').code], ['policy_error', 'policy_error']);
    assert.deepEqual(
      bundle.visible({ principal: principalOf('u'), server: 't', action: 'CallTool', names: ['\ud800', 'root'], nowMs: 0 }),
      [false, true],
    );
  });

  test('no string but the one that is meant is allowed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        fc.pre(name !== 'root');
        assert.equal(verdict(name, [name], 's', 'tool').effect, 'deny');
        assert.equal(verdict('u', [], 't', name).effect, 'deny');
      }),
    );
  });

  test('a tool with a hostile name can be declared, governed and called', () => {
    for (const name of HOSTILE.filter((tool) => tool !== '' && tool.length < 1000)) {
      const declared = loadBundle({
        'servers/s.yaml': '{name: s, url: "http://127.0.0.1:1/mcp", tools: s.json}',
        'servers/s.json': [{ name, inputSchema: { type: 'object', properties: { [name]: { type: 'string' } } } }],
        'policies/p.cedar': 'permit (principal, action in Action::"CallTool", resource);',
      });
      const asked = { principal: principalOf('u'), server: 's', nowMs: 0 };
      const operation = { action: 'CallTool', target: name } as const;
      assert.equal(declared.evaluate({ ...asked, operation, params: NO_PARAMS }).effect, 'allow', JSON.stringify(name));
      assert.deepEqual(declared.visible({ ...asked, action: 'CallTool', names: [name, `${name}x`] }), [true, false]);
    }
  });

  test('names that are not valid Unicode are refused, however many, without wearing Cedar out', () => {
    // Only Cedar itself evaluates durations.
    const asking = loadBundle({
      'servers/s.yaml': '{name: s, url: "http://127.0.0.1:1/mcp"}',
      'policies/p.cedar': 'permit (principal, action, resource) when { duration("1h") > duration("1m") };',
    });
    const effectFor = (user: string, group: string, tool: string) =>
      asking.evaluate({
        principal: principalOf(user, [group]),
        server: 's',
        operation: { action: 'CallTool', target: tool },
        params: NO_PARAMS,
        nowMs: 0,
      }).effect;
    for (let time = 0; time < 3_000; time += 1) {
      assert.equal(effectFor('u\ud800', 'g', 't'), 'deny');
      assert.equal(effectFor('u', 'g\udc00', 't'), 'deny');
      assert.equal(effectFor('u', 'g', '\ud800t'), 'deny');
    }
    assert.equal(effectFor('u', 'g', 't'), 'allow');
  });
});
