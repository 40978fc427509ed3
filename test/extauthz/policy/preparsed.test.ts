import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import cedar from '@cedar-policy/cedar-wasm/nodejs';
import { createPolicyEngine } from '../../../extauthz/policy/engine.ts';
import { bundleFiles } from './bundle-files.ts';
import { loadBundle, NO_PARAMS, principalOf } from './load-bundle.ts';

/** A bundle that permits exactly one undeclared tool, by a condition that only Cedar evaluates. */
function bundleFor(tool: string) {
  return {
    'servers/s.yaml': '{name: s, url: "http://127.0.0.1:1/mcp"}',
    'policies/p.cedar': `@id("only-${tool}") permit (principal, action == Action::"CallUndeclaredTool", resource == Tool::"s/${tool}")
      when { duration("1h") > duration("1m") };
      @enforce("shadow") forbid (principal, action, resource);`,
  };
}

function allowedBy(bundle: ReturnType<typeof loadBundle>, tool: string): string {
  const question = { principal: principalOf('u'), server: 's', nowMs: 0 };
  const operation = { action: 'CallTool', target: tool } as const;
  const [shown] = bundle.visible({ ...question, action: 'CallTool', names: [tool] });
  const { effect } = bundle.evaluate({ ...question, operation, params: NO_PARAMS });
  assert.equal(shown, effect === 'allow');
  return effect;
}

describe('parsed policy sets', () => {
  test('fifty revisions use the same six ids', () => {
    const spy = mock.method(cedar, 'preparsePolicySet');
    try {
      for (let revision = 0; revision < 50; revision += 1) {
        assert.equal(allowedBy(loadBundle(bundleFor(`t${revision}`)), `t${revision}`), 'allow');
      }
      assert.equal(spy.mock.callCount(), 150);
      const ids = new Set(spy.mock.calls.map(({ arguments: [id] }) => id));
      assert.deepEqual([...ids].sort(), ['A/enforced', 'A/shadow', 'A/visible', 'B/enforced', 'B/shadow', 'B/visible']);
    } finally {
      spy.mock.restore();
    }
  });

  test('two bundles in use are each parsed once', () => {
    const [one, two] = [loadBundle(bundleFor('one')), loadBundle(bundleFor('two'))];
    const spy = mock.method(cedar, 'preparsePolicySet');
    try {
      for (let round = 0; round < 10; round += 1) {
        assert.deepEqual([allowedBy(one, 'one'), allowedBy(two, 'one')], ['allow', 'deny']);
      }
      assert.equal(spy.mock.callCount(), 0);
    } finally {
      spy.mock.restore();
    }
  });

  test('a bundle whose place was taken keeps giving its own answers, whichever engine loaded it', () => {
    const names = ['one', 'two', 'three', 'four'];
    const bundles = names.map((name) => loadBundle(bundleFor(name)));
    for (let round = 0; round < 3; round += 1) {
      for (const [index, bundle] of bundles.entries()) {
        assert.deepEqual(
          names.map((name) => allowedBy(bundle, name)),
          names.map((_, other) => (other === index ? 'allow' : 'deny')),
        );
      }
    }
  });

  test('loading another bundle, good or bad, does not take the place of the one in use', () => {
    const used = loadBundle(bundleFor('used'));
    loadBundle(bundleFor('waiting'));
    assert.equal(allowedBy(used, 'used'), 'allow');
    loadBundle(bundleFor('newer'));
    assert.equal(createPolicyEngine().load(bundleFiles({ ...bundleFor('bad'), 'policies/q.cedar': 'permit' })).ok, false);
    const spy = mock.method(cedar, 'preparsePolicySet');
    try {
      assert.equal(allowedBy(used, 'used'), 'allow');
      assert.equal(spy.mock.callCount(), 0);
    } finally {
      spy.mock.restore();
    }
  });

  test('a set that cannot be parsed denies, and the next question tries again', () => {
    const bundles = ['one', 'two', 'three'].map((name) => loadBundle(bundleFor(name)));
    const [first] = bundles;
    assert.ok(first);
    const failure = () => ({ type: 'failure' as const, errors: [] });
    const stub = mock.method(cedar, 'preparsePolicySet', failure);
    try {
      const question = {
        principal: principalOf('u'),
        server: 's',
        operation: { action: 'CallTool', target: 'one' },
        params: NO_PARAMS,
      } as const;
      const verdict = first.evaluate({ ...question, nowMs: 0 });
      assert.deepEqual([verdict.effect, verdict.code, verdict.vary], ['deny', 'policy_error', { arguments: true, time: true }]);
    } finally {
      stub.mock.restore();
    }
    assert.equal(allowedBy(first, 'one'), 'allow');
  });
});

describe('when Cedar itself fails', () => {
  const faults: unknown[] = [];
  const bundle = loadBundle(bundleFor('t'), (cause) => faults.push(cause));
  const failures: [string, () => never | object][] = [
    ['by a failure answer', () => ({ type: 'failure', errors: [], warnings: [] })],
    [
      'by an exception',
      () => {
        throw new Error('memory access out of bounds');
      },
    ],
    ['by an answer that is none', () => ({})],
  ];
  for (const [how, fault] of failures) {
    test(`${how}, the call is denied and the list is empty`, () => {
      const stub = mock.method(cedar, 'statefulIsAuthorized', fault as never);
      const before = faults.length;
      try {
        assert.equal(allowedBy(bundle, 't'), 'deny');
        assert.equal(faults.length, before + 2, 'one fault for the list, one for the call');
      } finally {
        stub.mock.restore();
      }
    });
  }
});
