import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertGoverned, type Expectation } from './sdk/assert-governed.ts';
import { EVERYTHING } from './sdk/everything-steps.ts';
import { HIDDEN_OF_EVERYTHING, HIDDEN_OF_MODERN, hiddenLists, judgedForOne } from './sdk/hidden.ts';
import { MODERN_SURFACE } from './sdk/modern-steps.ts';
import { comparable, type Outcome, outcomeOf } from './sdk/outcome.ts';
import { REASONS } from './sdk/policies.ts';
import { type EndpointJob, type PythonTranscripts, preparePython, runPython } from './sdk/python-sdk.ts';
import { RESTRICTED_EVERYTHING, RESTRICTED_MODERN, RESTRICTED_REPLAY } from './sdk/restricted-steps.ts';
import { RESUMPTION } from './sdk/resumption-steps.ts';
import type { SdkClient } from './sdk/sdk-client.ts';
import { type Access, type ServerName, type Servers, startServers } from './sdk/servers.ts';
import { TASKS } from './sdk/task-steps.ts';
import { TICKETS } from './sdk/tickets-steps.ts';
import { type Step, type Transcript, transcribe } from './sdk/transcript.ts';
import { connectV1 } from './sdk/v1-client.ts';
import { connectV2, MODERN } from './sdk/v2-client.ts';

type Connect<C> = (access: Access) => Promise<C>;

const v1 = ({ url, token }: Access) => connectV1(url, token);
const v1Resuming = ({ url, token }: Access) => connectV1(url, token, { maxRetries: 10 });
const v2Legacy = ({ url, token }: Access) => connectV2(url, token, 'legacy');
const v2Resuming = ({ url, token }: Access) => connectV2(url, token, 'legacy', { maxRetries: 10 });
const v2Modern = ({ url, token }: Access) => connectV2(url, token, MODERN);
const v2Auto = ({ url, token }: Access) => connectV2(url, token, 'auto');

let servers: Servers;
let pythonPrepared: Promise<string | undefined>;
/** What was started, newest first. */
const stops: (() => unknown)[] = [];

before(async () => {
  pythonPrepared = preparePython();
  servers = await startServers((stop) => stops.unshift(stop));
});

after(async () => {
  for (const stop of stops) await stop();
});

interface Comparison<C> {
  readonly connect: Connect<C>;
  readonly steps: readonly Step<C>[];
  readonly server: ServerName;
  readonly user?: 'alice' | 'bob';
  /** Both ways at the same time, for steps that wait long and share nothing. */
  readonly atOnce?: boolean;
}

/** Takes the steps directly and through the sidecar, and has one test for each. */
function compare<C extends { close(): Promise<void> }>(title: string, comparison: Comparison<C>): void {
  const { connect, steps, server, user = 'alice', atOnce = false } = comparison;
  describe(title, () => {
    let direct: Transcript;
    let governed: Transcript;
    before(async () => {
      const access = await servers.governed(server, user);
      const running = transcribe(() => connect(servers.direct(server)), steps);
      if (!atOnce) await running;
      governed = await transcribe(() => connect(access), steps);
      direct = await running;
    });
    for (const step of steps) it(step.name, () => assertGoverned(step, direct.get(step.name), governed.get(step.name)));
  });
}

describe('TypeScript SDK v1 and the reference server', () => {
  compare('the whole surface', { connect: v1, steps: EVERYTHING, server: 'everything' });
  compare('broken streams', { connect: v1Resuming, steps: RESUMPTION, server: 'everything' });
  compare('tasks', { connect: v1, steps: TASKS, server: 'everything', atOnce: true });
  compare('what policy hides', { connect: v1, steps: RESTRICTED_EVERYTHING, server: 'everything', user: 'bob' });
  compare('what policy hides, replayed', { connect: v1, steps: RESTRICTED_REPLAY, server: 'everything', user: 'bob' });
});

describe('TypeScript SDK v2, legacy, and the reference server', () => {
  compare('the whole surface', { connect: v2Legacy, steps: EVERYTHING, server: 'everything' });
  compare('broken streams', { connect: v2Resuming, steps: RESUMPTION, server: 'everything' });
  compare('what policy hides', { connect: v2Legacy, steps: RESTRICTED_EVERYTHING, server: 'everything', user: 'bob' });
  compare('what policy hides, replayed', { connect: v2Legacy, steps: RESTRICTED_REPLAY, server: 'everything', user: 'bob' });
});

describe('the ticket server', () => {
  compare('TypeScript SDK v1', { connect: v1, steps: TICKETS, server: 'tickets' });
  compare('TypeScript SDK v2, legacy', { connect: v2Legacy, steps: TICKETS, server: 'tickets' });
  compare('TypeScript SDK v2, modern', { connect: v2Modern, steps: TICKETS, server: 'tickets' });
});

describe('TypeScript SDK v2, modern, and a modern server', () => {
  compare('the whole surface', { connect: v2Modern, steps: MODERN_SURFACE, server: 'modern' });
  compare('the whole surface in event streams', { connect: v2Modern, steps: MODERN_SURFACE, server: 'modern-streaming' });
  compare('what policy hides', { connect: v2Modern, steps: RESTRICTED_MODERN, server: 'modern', user: 'bob' });
  compare('what policy hides, in event streams', { connect: v2Modern, steps: RESTRICTED_MODERN, server: 'modern-streaming', user: 'bob' });
});

describe('the era that a client chooses', () => {
  const CHOICE: readonly Step<SdkClient>[] = [
    { name: 'the handshake', run: async (client) => client.handshake() },
    { name: 'a call', run: (client) => client.callTool('echo', { message: 'hello' }) },
  ];
  compare('legacy at a server that has nothing else', { connect: v2Auto, steps: CHOICE, server: 'everything' });
  compare('modern at a server that has both', { connect: v2Auto, steps: CHOICE, server: 'modern' });

  it('fails alike where the only era that it takes is missing', async () => {
    const connecting = (access: Access) => outcomeOf(() => v2Modern(access));
    const direct = await connecting(servers.direct('everything'));
    assert.ok('error' in direct);
    assert.deepEqual(await connecting(await servers.governed('everything', 'alice')), direct);
  });
});

describe('sessions', () => {
  for (const [name, connect, resume] of [
    ['TypeScript SDK v1', v1, (access: Access, sessionId: string) => connectV1(access.url, access.token, { sessionId })],
    ['TypeScript SDK v2', v2Legacy, (access: Access, sessionId: string) => connectV2(access.url, access.token, 'legacy', { sessionId })],
  ] as const) {
    it(`belong to their user, who may take them up with another connection: ${name}`, async () => {
      const access = await servers.governed('everything', 'alice');
      const client = await connect(access);
      const { sessionId } = client.transport;
      assert.ok(sessionId !== undefined);
      try {
        const again = await resume(access, sessionId);
        assert.deepEqual(await again.ping(), {});
        await again.close();
        const { token } = await servers.governed('everything', 'bob');
        const stranger = await resume({ ...access, token }, sessionId);
        const stolen = await outcomeOf(() => stranger.ping());
        await stranger.close();
        assert.ok('error' in stolen);
        assert.equal((stolen.error.data as { status?: unknown } | null)?.status ?? stolen.error.code, 404);
        assert.deepEqual(await client.ping(), {}, 'the session itself goes on');
      } finally {
        await client.close();
      }
    });
  }
});

describe('a client without a token', () => {
  for (const [name, connect, server] of [
    ['TypeScript SDK v1', v1, 'everything'],
    ['TypeScript SDK v2, legacy', v2Legacy, 'everything'],
    // A client that takes nothing but 2026-07-28 says only that the server lacks it; one that takes both falls back, and is told.
    ['TypeScript SDK v2, either era', v2Auto, 'modern'],
  ] as const) {
    it(`is denied, and not sent to sign in: ${name}`, async () => {
      const outcome = await outcomeOf(() => connect({ url: servers.gate.url(server), token: undefined }));
      assert.ok('error' in outcome);
      assert.match(JSON.stringify(outcome), /4030/);
      assert.doesNotMatch(outcome.error.type, /Unauthorized|OAuth/);
    });
  }
});

describe('Python SDK', () => {
  const HIDDEN_REASONS: readonly (readonly [RegExp, string])[] = [
    [/tool$/, REASONS.tool],
    [/prompt$/, REASONS.prompt],
    [/document$|resource$/, REASONS.resource],
    [/not asked$/, REASONS.sampling],
  ];
  const PLANNED: readonly (Omit<EndpointJob, 'url' | 'token' | 'label'> & { server: ServerName; user: 'alice' | 'bob' })[] = [
    { server: 'everything', user: 'alice', mode: 'legacy', steps: 'everything' },
    { server: 'tickets', user: 'alice', mode: 'legacy', steps: 'tickets' },
    { server: 'tickets', user: 'alice', mode: 'auto', steps: 'tickets' },
    { server: 'modern', user: 'alice', mode: 'auto', steps: 'modern' },
    { server: 'modern-streaming', user: 'alice', mode: 'auto', steps: 'modern' },
    { server: 'everything', user: 'bob', mode: 'auto', steps: 'everything, hidden' },
    { server: 'modern', user: 'bob', mode: 'auto', steps: 'modern, hidden' },
    { server: 'modern-streaming', user: 'bob', mode: 'auto', steps: 'modern, hidden' },
  ];
  let absent: string | undefined;
  let transcripts: PythonTranscripts;

  before(async () => {
    absent = await pythonPrepared;
    if (absent !== undefined) return;
    const jobs = await Promise.all(
      PLANNED.map(async ({ server, user, mode, steps }, index): Promise<EndpointJob[]> => {
        const governed = await servers.governed(server, user);
        return [
          { label: `${index} direct`, ...servers.direct(server), mode, steps },
          { label: `${index} governed`, ...governed, mode, steps },
        ];
      }),
    );
    transcripts = await runPython(jobs.flat());
  });

  /** The script takes the same steps for every user; what is to come of them follows from their names. */
  function expectation(step: string, server: ServerName, user: string): Expectation {
    const isModern = server !== 'everything';
    const rewrite = user === 'bob' ? hiddenLists(isModern ? HIDDEN_OF_MODERN : HIDDEN_OF_EVERYTHING).get(step) : undefined;
    const isJudged = isModern && server !== 'tickets' && step === 'tools/list';
    if (isJudged || rewrite !== undefined)
      return { governed: (direct) => (isJudged ? judgedForOne : comparable)(rewrite?.(direct) ?? direct) };
    if (user === 'bob') return { denied: HIDDEN_REASONS.find(([pattern]) => pattern.test(step))?.[1] ?? 'no reason is known' };
    const isUnknown = /no.such/.test(step) && (isModern || !step.startsWith('tools/call'));
    return isUnknown || /other:/.test(step) ? { fails: -32602 } : {};
  }

  for (const [index, { server, user, mode, steps }] of PLANNED.entries()) {
    it(`${steps}: ${server}, ${mode}, as ${user}`, async (t: TestContext) => {
      if (absent !== undefined) {
        t.diagnostic(`NOT TESTED, the Python SDK is absent: ${absent}`);
        return t.skip(`the Python SDK is absent: ${absent}`);
      }
      const of = (how: 'direct' | 'governed') => transcripts[`${index} ${how}`] ?? {};
      const names = Object.keys(of('direct'));
      assert.ok(names.length > 0);
      for (const step of names) {
        await t.test(step, () => {
          const [direct, governed] = [of('direct')[step], of('governed')[step]].map((outcome) => comparable(outcome) as Outcome);
          assertGoverned(expectation(step, server, user), direct, governed);
        });
      }
    });
  }
});

describe('all of this', () => {
  it('has left a record of every kind of message', async () => {
    const EXPECTED = [
      ...['initialize', 'notifications/initialized', 'ping', 'logging/setLevel', 'http/stream', 'http/end-session', 'http/client-response'],
      ...['tools/list', 'tools/call', 'prompts/list', 'prompts/get', 'resources/list', 'resources/templates/list', 'resources/read'],
      ...[
        'resources/subscribe',
        'resources/unsubscribe',
        'completion/complete',
        'notifications/cancelled',
        'notifications/roots/list_changed',
      ],
      ...['server/discover', 'subscriptions/listen', 'tasks/get', 'tasks/list', 'tasks/cancel', 'tasks/result', 'acme/unknown'],
    ];
    const missing = () => {
      const recorded = new Set(servers.gate.audit().map(({ method }) => method));
      return EXPECTED.filter((method) => !recorded.has(method));
    };
    const giveUp = AbortSignal.timeout(20_000);
    while (missing().length > 0 && !giveUp.aborted) await sleep(50);
    assert.deepEqual(missing(), []);
    const faults = servers.gate.audit().filter(({ code }) => code === 'internal' || code === 'upstream_unreachable');
    assert.deepEqual(faults, []);
  });
});
