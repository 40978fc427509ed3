import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { taskVerdict } from '../../extauthz/task-verdict.ts';
import { loadBundle, NO_PARAMS, principalOf } from './policy/load-bundle.ts';

const TOOLS = JSON.stringify([
  { name: 'research', inputSchema: { type: 'object', properties: { topic: { type: 'string' } }, required: ['topic'] } },
  { name: 'hidden', inputSchema: { type: 'object', properties: {} } },
]);
const RESEARCH = `@id("research") permit (principal, action == Action::"jobs/research", resource) when { context.input.topic like "public*" };`;

function verdict(policies: string, method: string, tool: string | undefined) {
  const bundle = loadBundle({
    'servers/jobs.yaml': 'name: jobs\nurl: http://127.0.0.1:1/mcp\ntools: jobs.tools.json\n',
    'servers/jobs.tools.json': TOOLS,
    'policies/p.cedar': policies,
  });
  const operation = { action: 'SendMethod', target: method } as const;
  return taskVerdict(bundle, { principal: principalOf('alice'), server: 'jobs', operation, params: NO_PARAMS, nowMs: 0 }, tool);
}

describe('verdict on a request about a task', () => {
  for (const [name, policies, method, tool, want] of [
    ['a tool that some arguments make callable', RESEARCH, 'tasks/get', 'research', 'allow'],
    ['a tool that nothing permits', RESEARCH, 'tasks/get', 'hidden', 'not_permitted'],
    ['a tool that nobody declared', RESEARCH, 'tasks/get', 'unknown', 'not_permitted'],
    [
      'a tool that is forbidden',
      `permit (principal, action in Action::"CallTool", resource); forbid (principal, action == Action::"jobs/hidden", resource);`,
      'tasks/get',
      'hidden',
      'forbidden',
    ],
    [
      'a tool that is forbidden, whatever the arguments that permit it',
      `${RESEARCH} forbid (principal, action == Action::"jobs/research", resource);`,
      'tasks/get',
      'research',
      'not_permitted',
    ],
    [
      'a method that is forbidden',
      `${RESEARCH} forbid (principal, action == Action::"SendMethod", resource);`,
      'tasks/get',
      'research',
      'forbidden',
    ],
    [
      'a server that is forbidden',
      `${RESEARCH} forbid (principal, action == Action::"Connect", resource);`,
      'tasks/get',
      'research',
      'forbidden',
    ],
    [
      'a permit on the method alone',
      'permit (principal, action == Action::"SendMethod", resource);',
      'tasks/get',
      'research',
      'not_permitted',
    ],
    ['a method that MCP does not define', RESEARCH, 'tasks/steal', 'research', 'not_permitted'],
    ['the list', '', 'tasks/list', undefined, 'allow'],
    ['tasks in general, before it is known whose', '', 'tasks/get', undefined, 'allow'],
    ['another method in general', '', 'tasks/steal', undefined, 'not_permitted'],
    ['no task method at all', '', 'acme/run', undefined, 'not_permitted'],
  ] as const) {
    it(name, () => {
      const { effect, code, vary } = verdict(policies, method, tool);
      assert.equal(code ?? effect, want);
      assert.equal(effect, want === 'allow' ? 'allow' : 'deny');
      assert.deepEqual(vary, { arguments: false, time: false });
    });
  }

  it('depends on the time when any policy does', () => {
    const timed = `${RESEARCH} forbid (principal, action == Action::"jobs/hidden", resource) when { context.now > datetime("2030-01-01") };`;
    assert.equal(verdict(timed, 'tasks/get', 'research').vary.time, true);
  });

  it('gives the reason of the policy that forbids the tool', () => {
    const forbidden = `@reason("nothing to see") forbid (principal, action == Action::"jobs/hidden", resource);`;
    assert.equal(verdict(forbidden, 'tasks/get', 'hidden').reason, 'nothing to see');
  });
});
