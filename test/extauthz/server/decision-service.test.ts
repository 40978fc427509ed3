import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Verdict } from '../../../extauthz/api/decision.ts';
import { fail, ok } from '../../../extauthz/api/result.ts';
import { createDecisionService, type DecisionServiceOptions, type Question } from '../../../extauthz/decision-service.ts';
import type { TokenFailure } from '../../../extauthz/identity/token-failure.ts';
import type { Bundle } from '../../../extauthz/policy/engine.ts';
import { Secret } from '../../../runtime/logger.ts';
import { recordingLogger } from '../support/test-logger.ts';

const NOW_MS = 1_800_000_000_000;
const ALLOW: Verdict = {
  effect: 'allow',
  code: undefined,
  reason: '',
  policies: ['p'],
  wouldDeny: ['s'],
  vary: { arguments: false, time: false },
};
const QUESTION: Question = {
  agent: { namespace: 'agents', serviceAccount: 'helpdesk', pod: undefined },
  server: 'tickets',
  method: 'tools/call',
  params: Buffer.from('{"name":"list"}'),
  userToken: 'token',
  minRevision: '',
};

/** A service whose parts all say yes, with some of them replaced. */
function serviceOf(changes: Partial<DecisionServiceOptions> & { evaluate?: Bundle['evaluate']; visible?: Bundle['visible'] } = {}) {
  const { logger, lines } = recordingLogger();
  const bundle: Bundle = {
    revision: 'r1',
    servers: new Map([['tickets', { name: 'tickets', url: 'http://t/', transport: 'streamable-http', credential: { strategy: 'none' } }]]),
    views: new Map(),
    warnings: [],
    readsTime: false,
    groupsOf: (_id, tokenGroups) => [...tokenGroups],
    evaluate: changes.evaluate ?? (() => ALLOW),
    visible: changes.visible ?? (({ names }) => names.map(() => true)),
  };
  let ids = 0;
  const service = createDecisionService({
    bundle: () => bundle,
    users: { verify: async () => ok({ id: 'alice', subject: 'alice', issuer: 'i', tokenGroups: ['g'], expiresAtMs: NOW_MS + 60_000 }) },
    broker: {
      issue: async () => ok({ setHeaders: [{ name: 'authorization', value: new Secret('s') }], label: 'l', expiresAtMs: undefined }),
    },
    now: () => NOW_MS,
    newId: () => `id-${++ids}`,
    logger,
    ...changes,
  });
  return { service, lines };
}

describe('decision service', () => {
  it('gives everything on allow', async () => {
    const { service } = serviceOf();
    const ruling = await service.decide(QUESTION);
    assert.deepEqual(
      { ...ruling, obligations: undefined },
      {
        ...ALLOW,
        id: 'id-1',
        revision: 'r1',
        principal: { user: { id: 'alice', subject: 'alice', issuer: 'i', groups: ['g'] }, agent: QUESTION.agent },
        operation: { action: 'CallTool', target: 'list' },
        expiresAtMs: NOW_MS + 6_000,
        obligations: undefined,
      },
    );
    assert.equal(ruling.obligations.credential, 'l');
    assert.equal(ruling.obligations.setHeaders[0]?.value.reveal(), 's');
  });

  it('ends a decision with the credential, when that ends first', async () => {
    const { service } = serviceOf({ broker: { issue: async () => ok({ setHeaders: [], label: 'l', expiresAtMs: NOW_MS + 5_000 }) } });
    assert.equal((await service.decide(QUESTION)).expiresAtMs, NOW_MS + 5_000);
  });

  it('does not ask for a credential when policy denies', async () => {
    const denied: Verdict = { ...ALLOW, effect: 'deny', code: 'forbidden', reason: 'no' };
    const { service } = serviceOf({ evaluate: () => denied, broker: { issue: () => assert.fail('asked the broker') } });
    const ruling = await service.decide(QUESTION);
    assert.deepEqual(
      [ruling.effect, ruling.code, ruling.reason, ruling.policies, ruling.wouldDeny],
      ['deny', 'forbidden', 'no', ['p'], ['s']],
    );
    assert.deepEqual(ruling.obligations, { setHeaders: [], removeHeaders: [], credential: '' });
  });

  it('takes nothing but the word allow for an allow', async () => {
    for (const effect of ['ALLOW', '', undefined, true, 1]) {
      let asked = 0;
      const { service } = serviceOf({
        evaluate: () => ({ ...ALLOW, effect: effect as never }),
        broker: {
          async issue() {
            asked += 1;
            return ok({ setHeaders: [], label: 'l', expiresAtMs: undefined });
          },
        },
      });
      const ruling = await service.decide(QUESTION);
      assert.notEqual(ruling.effect, 'allow');
      assert.deepEqual([asked, ruling.obligations.removeHeaders], [0, []], 'no credential, no obligations');
    }
  });

  const boom = () => {
    throw new Error('boom');
  };
  const faults: readonly [string, Parameters<typeof serviceOf>[0]][] = [
    ['the evaluation', { evaluate: boom }],
    ['the verification', { users: { verify: async () => boom() } }],
    ['the verification at once', { users: { verify: boom } }],
    ['the broker', { broker: { issue: async () => boom() } }],
    ['the broker at once', { broker: { issue: boom } }],
    ['the bundle source', { bundle: boom }],
  ];
  for (const [what, changes] of faults) {
    it(`denies, and logs, a fault in ${what}`, async () => {
      const { service, lines } = serviceOf(changes);
      const ruling = await service.decide(QUESTION);
      assert.deepEqual([ruling.effect, ruling.code, ruling.reason], ['deny', 'policy_error', 'the policy could not be evaluated']);
      assert.deepEqual(ruling.obligations, { setHeaders: [], removeHeaders: [], credential: '' });
      assert.deepEqual(ruling.vary, { arguments: true, time: true });
      assert.match(JSON.stringify(lines.at(-1)?.['err']), /"message":"boom"/);
      const names = ['a', 'b'];
      if (!what.startsWith('the broker'))
        assert.deepEqual((await service.filter({ ...QUESTION, method: 'tools/list' }, names)).visible, [false, false]);
    });
  }

  it('hides everything when policy cannot answer for each name', async () => {
    for (const visible of [() => [true], () => [true, true, true], boom]) {
      const { service } = serviceOf({ visible });
      const ruling = await service.filter({ ...QUESTION, method: 'tools/list' }, ['a', 'b']);
      assert.deepEqual([ruling.effect, ruling.code, ruling.visible], ['deny', 'policy_error', [false, false]]);
    }
  });

  it('hides everything when the user may not connect', async () => {
    const { service } = serviceOf({
      evaluate: ({ operation }) => ({ ...ALLOW, effect: operation.action === 'Connect' ? 'deny' : 'allow', code: 'forbidden' }),
    });
    const ruling = await service.filter({ ...QUESTION, method: 'tools/list' }, ['a']);
    assert.deepEqual([ruling.effect, ruling.visible], ['deny', [false]]);
  });

  it('does not judge a list of absurd length', async () => {
    const { service } = serviceOf({ visible: () => assert.fail('judged it') });
    const ruling = await service.filter(
      { ...QUESTION, method: 'tools/list' },
      Array.from({ length: 10_001 }, () => 'x'),
    );
    assert.deepEqual([ruling.effect, ruling.code], ['deny', 'invalid_arguments']);
  });

  it('says unavailable when nobody could verify the token, or no bundle is there', async () => {
    const failure: TokenFailure = { kind: 'keys_unavailable', detail: 'x' };
    const keyless = serviceOf({ users: { verify: async () => fail(failure) } });
    const ruling = await keyless.service.decide(QUESTION);
    assert.deepEqual(
      [ruling.effect, ruling.code, ruling.reason],
      ['deny', 'unavailable', 'the user token cannot be verified at the moment'],
    );
    const bundleless = serviceOf({ bundle: () => undefined });
    assert.equal((await bundleless.service.decide(QUESTION)).code, 'unavailable');
  });

  it('evaluates the bundle that is in force after the token was verified', async () => {
    const verified = Promise.withResolvers<void>();
    const { service } = serviceOf();
    const bundleOf = (revision: string, verdict: Verdict) =>
      ({
        revision,
        servers: new Map([['tickets', { name: 'tickets' }]]),
        groupsOf: () => [],
        evaluate: () => verdict,
      }) as unknown as Bundle;
    let current = bundleOf('old', ALLOW);
    const waiting = createDecisionService({
      ...({
        broker: { issue: () => assert.fail('asked the broker') },
        now: () => NOW_MS,
        newId: () => 'id',
        logger: recordingLogger().logger,
      } as const),
      bundle: () => current,
      users: {
        async verify() {
          await verified.promise;
          return ok({ id: 'a', subject: 'a', issuer: 'i', tokenGroups: [], expiresAtMs: NOW_MS + 1 });
        },
      },
    }).decide(QUESTION);
    current = bundleOf('new', { ...ALLOW, effect: 'deny', code: 'forbidden' });
    verified.resolve();
    assert.deepEqual([(await waiting).revision, (await waiting).effect], ['new', 'deny']);
    assert.equal((await service.decide(QUESTION)).effect, 'allow');
  });
});
