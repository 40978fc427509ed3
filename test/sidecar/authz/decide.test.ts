import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DecisionResponse } from '../../../extauthz/api/protos.ts';
import { type DecisionQuestion, NoDecision } from '../../../sidecar/authz/client.ts';
import { Decider } from '../../../sidecar/authz/decide.ts';
import { DecisionCache } from '../../../sidecar/authz/decision-cache.ts';
import { Lease } from '../../../sidecar/authz/lease.ts';
import type { Permit } from '../../../sidecar/permit.ts';

const ALLOW: Omit<DecisionResponse, 'visible'> = {
  id: 1,
  effect: 'ALLOW',
  decisionId: 'd',
  revision: 'r1',
  code: '',
  reason: '',
  policies: [],
  wouldDeny: [],
  setHeaders: [],
  removeHeaders: [],
  credential: '',
  vary: { arguments: false, time: false },
  expiresAtMs: Number.MAX_SAFE_INTEGER,
  principal: null,
};

/** A decider whose policy service shows what starts with `a`, once it is told to answer. */
function setUp() {
  const lease = new Lease();
  const cache = new DecisionCache(lease);
  const begin = (revision: string) => {
    lease.renew(revision, 1_000, 0);
    cache.dropOutdated();
  };
  begin('r1');
  const questions: { readonly question: DecisionQuestion; readonly answer: (fault?: Error) => void }[] = [];
  const client = {
    decide: (question: DecisionQuestion) =>
      new Promise<DecisionResponse>((resolve, reject) => {
        const visible = question.items?.names.map((name) => name.startsWith('a')) ?? [];
        const answer = (fault?: Error) => (fault === undefined ? resolve({ ...ALLOW, visible }) : reject(fault));
        questions.push({ question, answer });
      }),
  };
  const decider = new Decider(client, cache, 500, { monotonicMs: () => 0, unixMs: () => 0 });
  const route = { name: 's', url: new URL('http://s.example/mcp') };
  const permit = { route } as unknown as Permit;
  return { begin, questions, ask: (names: string[], user = 'u', method = 'tools/list') => decider.visible(permit, method, names, user) };
}

describe('visibility questions', () => {
  it('are asked once while an equal one is on its way, and not again when its answer may be kept', async () => {
    const { questions, ask } = setUp();
    const asked = [ask(['a1', 'b1']), ask(['a1', 'b1']), ask(['a1', 'b1'])];
    assert.equal(questions.length, 1);
    questions[0]?.answer();
    for (const each of asked) assert.deepEqual(await each, { ok: true, value: [true, false] });
    await ask(['a1']);
    assert.equal(questions.length, 1);
  });

  it('of another user, about another list or other names are others', async () => {
    const { questions, ask } = setUp();
    const asked = [ask(['a1']), ask(['a1'], 'v'), ask(['a1'], 'u', 'prompts/list'), ask(['b1']), ask(['a1', 'b1']), ask(['a1,b1'])];
    assert.equal(questions.length, 6);
    for (const { answer } of questions) answer();
    const values = (await Promise.all(asked)).map((each) => each.ok && each.value);
    assert.deepEqual(values, [[true], [true], [true], [false], [true, false], [true]]);
  });

  it('under a new revision do not take the answer that was asked for under the old one', async () => {
    const { begin, questions, ask } = setUp();
    const before = ask(['a1']);
    begin('r2');
    const after = ask(['a1']);
    assert.equal(questions.length, 2);
    for (const { answer } of questions) answer();
    await Promise.all([before, after]);
  });

  it('that fail, fail for all who asked, and are asked anew', async () => {
    const { questions, ask } = setUp();
    const asked = [ask(['a1']), ask(['a1'])];
    questions[0]?.answer(new NoDecision('away'));
    for (const each of asked) assert.equal((await each).ok, false);
    const again = ask(['a1']);
    assert.equal(questions.length, 2);
    questions[1]?.answer();
    assert.deepEqual(await again, { ok: true, value: [true] });
  });
});
