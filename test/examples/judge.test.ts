import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PLAN } from '../../examples/agent/plan.ts';
import { EXPECTATIONS, type Expectation } from '../../examples/quick-start/expectations.ts';
import { judgeTrace, judgeUser } from '../../examples/quick-start/judge.ts';
import { median } from '../../examples/quick-start/latency.ts';
import {
  type CallOutcome,
  callOutcome,
  type QuickStartOutcome,
  type TraceOutcome,
  type UserOutcome,
} from '../../examples/quick-start/outcome.ts';
import { columns, renderOutcome } from '../../examples/quick-start/table.ts';

const TICKETS_URL = 'http://127.0.0.1:9501/mcp';

/** What happens to a user when all is as it should be. */
function asExpected({ user, groups, tools, prompts, calls, wouldDeny }: Expectation): UserOutcome {
  return {
    user,
    groups,
    servers: Object.keys(tools).map((server) => ({
      server,
      protocolVersion: '2025-11-25',
      tools: tools[server] ?? [],
      prompts: prompts[server] ?? [],
      resources: [],
    })),
    calls: PLAN.map((planned): CallOutcome => {
      const wanted = calls[planned.step];
      const denied = wanted?.outcome === 'denied';
      return {
        ...planned,
        outcome: denied ? 'denied' : 'allowed',
        code: denied ? 4030 : null,
        reason: denied ? wanted.reason : '',
        decisionId: denied ? 'd' : '',
        revision: denied ? 'r' : '',
        latencyMs: 1,
        wouldDeny: wouldDeny[planned.step] === undefined ? [] : [wouldDeny[planned.step] as string],
      };
    }),
    upstreamCredential: { user, audience: TICKETS_URL, clientId: 'example-credential-store' },
    auditedCalls: PLAN.length,
    ownTokenAtTickets: 401,
  };
}

const span = { service: 'sidegate-sidecar', traceId: 't', name: 'tools/call whoami', durationMs: 1, attributes: {} };
const TRACE: TraceOutcome = {
  traceId: 't',
  upstreamParentSpanId: 'c',
  spans: [
    { ...span, spanId: 's', parentSpanId: '', kind: 'server' },
    { ...span, spanId: 'c', parentSpanId: 's', kind: 'client' },
  ],
};

const [alice] = EXPECTATIONS;
assert.ok(alice !== undefined);

function withCall(outcome: UserOutcome, step: string, change: Partial<CallOutcome>): UserOutcome {
  return { ...outcome, calls: outcome.calls.map((call) => (call.step === step ? { ...call, ...change } : call)) };
}

const WRONG: readonly { case: string; change: (outcome: UserOutcome) => UserOutcome; failing: string }[] = [
  {
    case: 'a tool too many is shown',
    change: (outcome) => ({
      ...outcome,
      servers: outcome.servers.map((seen) => (seen.server === 'tickets' ? { ...seen, tools: [...seen.tools, 'delete_ticket'] } : seen)),
    }),
    failing: 'alice: tools of tickets',
  },
  {
    case: 'a server is missing',
    change: (outcome) => ({ ...outcome, servers: outcome.servers.filter(({ server }) => server !== 'everything') }),
    failing: 'alice: tools of everything',
  },
  {
    case: 'a forbidden call goes through',
    change: (outcome) => withCall(outcome, 'delete a customer ticket', { outcome: 'allowed', code: null, reason: '' }),
    failing: 'alice: delete a customer ticket',
  },
  {
    case: 'a denial gives another reason',
    change: (outcome) => withCall(outcome, 'delete a customer ticket', { reason: 'no' }),
    failing: 'alice: delete a customer ticket',
  },
  {
    case: 'a denial has no decision id',
    change: (outcome) => withCall(outcome, 'delete a customer ticket', { decisionId: '' }),
    failing: 'alice: delete a customer ticket, decision named',
  },
  {
    case: 'a permitted call fails',
    change: (outcome) => withCall(outcome, 'echo', { outcome: 'failed', code: 5020, reason: 'upstream failed' }),
    failing: 'alice: echo',
  },
  {
    case: 'a call is not made',
    change: (outcome) => ({ ...outcome, calls: outcome.calls.slice(1), auditedCalls: PLAN.length - 1 }),
    failing: 'alice: steps taken',
  },
  {
    case: 'the trial is not recorded',
    change: (outcome) => withCall(outcome, 'open an urgent ticket', { wouldDeny: [] }),
    failing: 'alice: open an urgent ticket',
  },
  { case: 'a record is missing', change: (outcome) => ({ ...outcome, auditedCalls: PLAN.length - 1 }), failing: 'alice: audit records' },
  {
    case: 'somebody else’s credential arrives',
    change: (outcome) => ({ ...outcome, upstreamCredential: { user: 'bob', audience: TICKETS_URL, clientId: 'example-credential-store' } }),
    failing: 'alice: credential at the ticket server',
  },
  {
    case: 'no credential arrives',
    change: (outcome) => ({ ...outcome, upstreamCredential: null }),
    failing: 'alice: credential at the ticket server',
  },
  {
    case: 'the agent’s own token would do',
    change: (outcome) => ({ ...outcome, ownTokenAtTickets: 200 }),
    failing: "alice: the agent's own token at the ticket server",
  },
];

describe('the verdict on a run', () => {
  for (const expectation of EXPECTATIONS) {
    it(`is good when everything is as expected for ${expectation.user}`, () => {
      const checks = judgeUser(expectation, asExpected(expectation), TICKETS_URL);
      assert.deepEqual(
        checks.filter(({ ok }) => !ok),
        [],
      );
      assert.ok(checks.length > PLAN.length);
    });
  }
  for (const { case: name, change, failing } of WRONG) {
    it(`is bad when ${name}`, () => {
      const failed = judgeUser(alice, change(asExpected(alice)), TICKETS_URL).filter(({ ok }) => !ok);
      assert.ok(
        failed.some((check) => check.name === failing),
        JSON.stringify(failed),
      );
      for (const { wanted, got } of failed) assert.notEqual(wanted, got);
    });
  }

  it('is good about a whole trace', () =>
    assert.deepEqual(
      judgeTrace(TRACE).filter(({ ok }) => !ok),
      [],
    ));
  for (const { case: name, trace } of [
    { case: 'no span arrived', trace: { ...TRACE, spans: [] } },
    { case: 'the CLIENT span has another parent', trace: { ...TRACE, spans: TRACE.spans.map((one) => ({ ...one, parentSpanId: 'x' })) } },
    { case: 'the ticket server got no trace context', trace: { ...TRACE, upstreamParentSpanId: '' } },
    { case: 'a call made two SERVER spans', trace: { ...TRACE, spans: [...TRACE.spans, ...TRACE.spans.slice(0, 1)] } },
  ]) {
    it(`is bad when ${name}`, () => assert.ok(judgeTrace(trace).some(({ ok }) => !ok)));
  }
});

describe('reading the agent’s report', () => {
  const planned = { step: 's', server: 'tickets', tool: 't', arguments: {}, latencyMs: 2 };
  it('takes a result for allowed, and a tool error for failed', () => {
    assert.equal(
      callOutcome({ ...planned, outcome: { kind: 'result', isError: false, text: 'x', structured: null } }, []).outcome,
      'allowed',
    );
    assert.deepEqual(
      callOutcome({ ...planned, outcome: { kind: 'result', isError: true, text: 'no such ticket', structured: null } }, ['p']),
      {
        ...planned,
        outcome: 'failed',
        code: null,
        reason: 'no such ticket',
        decisionId: '',
        revision: '',
        wouldDeny: ['p'],
      },
    );
  });
  it('takes 4030 for denied, and any other error for failed', () => {
    const data = { sidegate: { decisionId: 'd', revision: 'r', reason: 'no' } };
    const denied = callOutcome({ ...planned, outcome: { kind: 'error', code: 4030, message: 'no', data } }, []);
    assert.deepEqual([denied.outcome, denied.code, denied.reason, denied.decisionId, denied.revision], ['denied', 4030, 'no', 'd', 'r']);
    for (const code of [5030, -32602, undefined]) {
      assert.equal(callOutcome({ ...planned, outcome: { kind: 'error', code, message: 'no', data: null } }, []).outcome, 'failed');
    }
  });
});

describe('the page of text', () => {
  const outcome: QuickStartOutcome = {
    ok: true,
    sdk: 'v1',
    users: EXPECTATIONS.map(asExpected),
    latency: { call: 'tickets/whoami', samples: 600, directMedianMs: 1.5, governedMedianMs: 2.25, addedMedianMs: 0.75 },
    trace: TRACE,
    checks: [{ name: 'a', ok: true, wanted: 'x', got: 'x' }],
    secondsToReady: 2,
    seconds: 5,
  };
  it('shows both users side by side, with reasons as footnotes', () => {
    const page = renderOutcome(outcome);
    assert.match(page, /^tool +what the agent tried +alice \(support\) +bob \(engineering\)$/m);
    assert.match(page, /^tickets\/delete_ticket +delete a rehearsal ticket +hidden +denied \[2\] +shown +allowed$/m);
    assert.match(page, /^ {2}\[2\] 4030: Tickets are deleted by engineering on request; ask in #tickets\.$/m);
    assert.match(page, /^everything: others +0 shown +9 shown$/m);
    assert.match(page, /0\.75 ms \(governed 2\.25 ms, direct 1\.50 ms\)/);
    assert.match(page, /^ {2}SERVER tools\/call whoami .*\n {4}CLIENT tools\/call whoami /m);
    assert.match(page, /All 1 checks came out as the bundle says, in 5\.0 s\./);
  });
  it('says what was wanted and what came', () => {
    const page = renderOutcome({
      ...outcome,
      ok: false,
      checks: [...outcome.checks, { name: 'b', ok: false, wanted: 'this', got: 'that' }],
    });
    assert.match(page, /1 of 2 checks did not come out as the bundle says:\n {2}b\n {4}wanted: this\n {4}got: {4}that/);
  });
  it('lines columns up', () =>
    assert.equal(
      columns([
        ['a', 'b'],
        ['long', ''],
      ]),
      'a     b\nlong',
    ));
});

describe('the median', () => {
  for (const { values, middle } of [
    { values: [3, 1, 2], middle: 2 },
    { values: [4, 1, 2, 3], middle: 2.5 },
    { values: [], middle: 0 },
  ]) {
    it(`of ${JSON.stringify(values)} is ${middle}`, () => assert.equal(median(values), middle));
  }
});
