import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PLAN } from '../../examples/agent/plan.ts';
import { EXPECTATIONS } from '../../examples/quick-start/expectations.ts';
import type { Action } from '../../extauthz/api/operation.ts';
import type { Principal } from '../../extauthz/api/principal.ts';
import { createPolicyEngine } from '../../extauthz/policy/engine.ts';
import { listBundleDirectory, readBundleFiles } from '../../extauthz/read-bundle-directory.ts';

const DIRECTORY = fileURLToPath(new URL('../../examples/bundle', import.meta.url));
const NOON_MS = Date.parse('2026-11-21T12:00:00Z');

const listing = listBundleDirectory(DIRECTORY);
assert.ok(listing.ok);
const files = readBundleFiles(DIRECTORY, listing.value);
assert.ok(files.ok);
const loaded = createPolicyEngine().load(files.value);
assert.ok(loaded.ok, JSON.stringify(loaded.ok ? undefined : loaded.failure, null, 2));
const bundle = loaded.value;

const agent = { namespace: 'quick-start', serviceAccount: 'example-agent', pod: undefined };
function principal(id: string, tokenGroups: readonly string[]): Principal {
  return { user: { id, subject: id, issuer: 'http://127.0.0.1:9500', groups: bundle.groupsOf(id, tokenGroups, agent) }, agent };
}

function ask(who: Principal, server: string, action: Action, target: string, toolArguments: object = {}) {
  const params = Buffer.from(JSON.stringify({ name: target, arguments: toolArguments }));
  return bundle.evaluate({ principal: who, server, operation: { action, target }, params, nowMs: NOON_MS });
}

describe('the sample bundle', () => {
  it('has nothing that the policy engine warns about', () => assert.deepEqual(bundle.warnings, []));

  for (const { user, groups, calls, tools, wouldDeny } of EXPECTATIONS) {
    const who = principal(user, groups);
    for (const { step, server, tool, arguments: toolArguments } of PLAN) {
      it(`decides for ${user} as the quick start expects: ${step}`, () => {
        const verdict = ask(who, server, 'CallTool', tool, toolArguments);
        const wanted = calls[step];
        assert.equal(verdict.effect, wanted?.outcome === 'allowed' ? 'allow' : 'deny');
        assert.equal(verdict.reason, wanted?.outcome === 'denied' ? wanted.reason : '');
        assert.deepEqual(verdict.wouldDeny, wouldDeny[step] === undefined ? [] : [wouldDeny[step]]);
      });
    }
    it(`shows ${user} what the quick start expects`, () => {
      const named = new Set(
        [
          ...EXPECTATIONS.flatMap((other) => Object.entries(other.tools)),
          ...PLAN.map((call) => [call.server, [call.tool]] as const),
        ].flatMap(([server, names]) => names.map((name) => `${server} ${name}`)),
      );
      for (const [server, expected] of Object.entries(tools)) {
        const names = [...named].flatMap((name) => (name.startsWith(`${server} `) ? [name.slice(server.length + 1)] : []));
        const visible = bundle.visible({ principal: who, server, action: 'CallTool', names, nowMs: NOON_MS });
        assert.deepEqual(names.filter((_name, index) => visible[index]).sort(), expected);
      }
    });
  }

  const CASES: readonly {
    case: string;
    who: Principal;
    server: string;
    action: Action;
    target: string;
    arguments?: object;
    effect: 'allow' | 'deny';
    policies: string[];
  }[] = [
    {
      case: 'a stranger in no group may do nothing with tools',
      who: principal('eve', []),
      server: 'tickets',
      action: 'CallTool',
      target: 'list_tickets',
      effect: 'deny',
      policies: [],
    },
    {
      case: 'a stranger may connect',
      who: principal('eve', []),
      server: 'tickets',
      action: 'Connect',
      target: '',
      effect: 'allow',
      policies: ['builtin/connect'],
    },
    {
      case: 'who is in both groups deletes nothing: forbid wins',
      who: principal('carol', ['support', 'engineering']),
      server: 'tickets',
      action: 'CallTool',
      target: 'delete_ticket',
      arguments: { id: 'TEST-1' },
      effect: 'deny',
      policies: ['tickets/support-deletes-nothing'],
    },
    {
      case: 'a deletion without an id cannot be judged',
      who: principal('bob', ['engineering']),
      server: 'tickets',
      action: 'CallTool',
      target: 'delete_ticket',
      effect: 'deny',
      policies: ['tickets/only-rehearsals-are-deleted'],
    },
    {
      case: 'support has no view of the environment',
      who: principal('alice', ['support']),
      server: 'everything',
      action: 'CallTool',
      target: 'get-env',
      effect: 'deny',
      policies: ['everything/no-environment'],
    },
    {
      case: 'a tool that nobody declared is denied to engineering too',
      who: principal('bob', ['engineering']),
      server: 'everything',
      action: 'CallTool',
      target: 'new-tool',
      effect: 'deny',
      policies: [],
    },
    {
      case: 'support gets the summary prompt',
      who: principal('alice', ['support']),
      server: 'tickets',
      action: 'GetPrompt',
      target: 'summarize_ticket',
      effect: 'allow',
      policies: ['tickets/summaries'],
    },
    {
      case: 'support does not get the postmortem prompt',
      who: principal('alice', ['support']),
      server: 'tickets',
      action: 'GetPrompt',
      target: 'postmortem',
      effect: 'deny',
      policies: [],
    },
    {
      case: 'engineering gets the postmortem prompt',
      who: principal('bob', ['engineering']),
      server: 'tickets',
      action: 'GetPrompt',
      target: 'postmortem',
      effect: 'allow',
      policies: ['tickets/engineering-prompts'],
    },
    {
      case: 'support reads tickets as resources',
      who: principal('alice', ['support']),
      server: 'tickets',
      action: 'ReadResource',
      target: 'tickets://T-101',
      effect: 'allow',
      policies: ['tickets/read'],
    },
    {
      case: 'support reads no resource of the reference server',
      who: principal('alice', ['support']),
      server: 'everything',
      action: 'ReadResource',
      target: 'demo://resource/static/document/features.md',
      effect: 'deny',
      policies: [],
    },
    {
      case: 'the view grants what it lists',
      who: principal('alice', ['support']),
      server: 'everything',
      action: 'CallTool',
      target: 'echo',
      effect: 'allow',
      policies: ['view/support-scope'],
    },
  ];
  for (const { case: name, who, server, action, target, arguments: toolArguments, effect, policies } of CASES) {
    it(name, () => {
      const verdict = ask(who, server, action, target, toolArguments);
      assert.deepEqual([verdict.effect, verdict.policies], [effect, policies], verdict.reason);
    });
  }

  it('has no policy without an @id and no forbid without a @reason', () => {
    for (const file of ['tickets', 'everything', 'trials']) {
      const statements = readFileSync(`${DIRECTORY}/policies/${file}.cedar`, 'utf8')
        .split(/;\s*\n/)
        .filter((text) => /^(permit|forbid)/m.test(text));
      assert.ok(statements.length > 0);
      for (const statement of statements) {
        assert.match(statement, /@id\("/);
        if (/^forbid/m.test(statement)) assert.match(statement, /@reason\("/);
      }
    }
  });
});
