import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import cedar from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import { inScope } from '../../../extauthz/policy/scope.ts';

const IDS = ['a', 'b', 's/t', 's', '__proto__'];
const id = fc.constantFrom(...IDS);

const principalScope = fc.oneof(
  fc.constant('principal'),
  id.map((name) => `principal == User::"${name}"`),
  id.map((name) => `principal == Group::"${name}"`),
  id.map((name) => `principal in Group::"${name}"`),
  id.map((name) => `principal in User::"${name}"`),
  fc.constantFrom('principal is User', 'principal is Group'),
  id.map((name) => `principal is User in Group::"${name}"`),
);
const actionScope = fc.oneof(
  fc.constant('action'),
  fc.constantFrom('s/t', 's/u', 'CallTool').map((name) => `action == Action::"${name}"`),
  fc.constantFrom('s/t', 's/u', 'CallTool').map((name) => `action in Action::"${name}"`),
  fc.subarray(['s/t', 's/u', 'CallTool']).map((names) => `action in [${names.map((name) => `Action::"${name}"`).join(', ')}]`),
);
const resourceScope = fc.oneof(
  fc.constant('resource'),
  id.map((name) => `resource == Tool::"${name}"`),
  id.map((name) => `resource == Server::"${name}"`),
  id.map((name) => `resource in Server::"${name}"`),
  id.map((name) => `resource in Tool::"${name}"`),
  fc.constantFrom('resource is Tool', 'resource is Server'),
  id.map((name) => `resource is Tool in Server::"${name}"`),
);

const request = fc.record({
  user: id,
  groups: fc.uniqueArray(id, { maxLength: 3 }),
  server: id,
  action: fc.constantFrom('s/t', 's/u', 'other'),
  actionGroup: fc.constantFrom('CallTool', undefined),
  resource: fc.record({ type: fc.constantFrom('Tool', 'Server'), id }),
});

describe('whether a policy’s scope lets it apply', () => {
  test('agrees with Cedar', () => {
    let matched = 0;
    fc.assert(
      fc.property(principalScope, actionScope, resourceScope, request, (principal, action, resource, asked) => {
        const text = `permit (${principal}, ${action}, ${resource});`;
        const parsed = cedar.policyToJson(text);
        assert.equal(parsed.type, 'success');
        if (parsed.type !== 'success') return;

        const uid = (type: string, name: string) => ({ type, id: name });
        const parent = asked.actionGroup === undefined ? [] : [uid('Action', asked.actionGroup)];
        // A server is its own resource, without a parent.
        const holders = asked.resource.type === 'Server' ? [] : [uid('Server', asked.server)];
        const server = asked.resource.type === 'Server' ? asked.resource.id : asked.server;
        const answer = cedar.isAuthorized({
          principal: uid('User', asked.user),
          action: uid('Action', asked.action),
          resource: asked.resource,
          context: {},
          policies: { staticPolicies: text },
          entities: [
            { uid: uid('User', asked.user), attrs: {}, parents: asked.groups.map((group) => uid('Group', group)) },
            { uid: uid('Action', asked.action), attrs: {}, parents: parent },
            { uid: asked.resource, attrs: {}, parents: holders },
          ],
        });
        assert.equal(answer.type, 'success');
        const applies = answer.type === 'success' && answer.response.decision === 'allow';
        if (applies) matched += 1;
        assert.equal(inScope(parsed.json, { ...asked, server }), applies, text);
      }),
      { numRuns: 2000 },
    );
    assert.ok(matched > 50, `only ${matched} policies applied`);
  });
});
