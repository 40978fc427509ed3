import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { DecisionResponse } from '../../../extauthz/api/protos.ts';
import { Instructions } from '../../../sidecar/answers/instructions.ts';
import { KnownNames } from '../../../sidecar/answers/known-names.ts';
import { MessageFilter } from '../../../sidecar/answers/message-filter.ts';
import type { DecisionQuestion } from '../../../sidecar/authz/client.ts';
import { Decider } from '../../../sidecar/authz/decide.ts';
import { DecisionCache } from '../../../sidecar/authz/decision-cache.ts';
import { Lease } from '../../../sidecar/authz/lease.ts';
import { ListMemo } from '../../../sidecar/mcp/list-memo.ts';
import type { Era } from '../../../sidecar/mcp/protocol-version.ts';
import type { Permit } from '../../../sidecar/permit.ts';
import { TaskCalls } from '../../../sidecar/tasks/task-calls.ts';
import { TaskLedger } from '../../../sidecar/tasks/task-ledger.ts';
import { Tasks } from '../../../sidecar/tasks/tasks.ts';
import { decision } from '../support/finished.ts';

/** The same bytes for everybody: the id is the only thing that differs. */
const TOOLS = (id: number | string) =>
  Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [{ name: 'open' }, { name: 'secret' }], resultType: 'complete' } }));
const LISTED_TASKS = Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"tasks":[{"taskId":"t1"},{"taskId":"t2"}]}}');

interface Asking {
  readonly user?: string;
  readonly server?: string;
  readonly id?: number | string;
  readonly era?: Era;
  readonly listTtlMs?: number;
  /** Whether the message comes in an event stream, where nothing is expected. */
  readonly isStream?: boolean;
  readonly message?: Uint8Array;
  readonly method?: string;
}

/** Everything that a sidecar has once, and what policy shows to whom. */
function setUp() {
  const lease = new Lease();
  const cache = new DecisionCache(lease);
  const clock = { monotonicMs: () => 0, unixMs: () => 0 };
  const policy = { revision: '', shows: (_user: string, _server: string, _name: string): boolean => false, readsTime: false, asked: 0 };
  const client = {
    async decide({ userToken, server, items }: DecisionQuestion): Promise<DecisionResponse> {
      policy.asked += 1;
      return {
        id: 1,
        effect: 'ALLOW',
        decisionId: 'd',
        revision: policy.revision,
        code: '',
        reason: '',
        policies: [],
        wouldDeny: [],
        setHeaders: [],
        removeHeaders: [],
        credential: '',
        vary: { arguments: false, time: policy.readsTime },
        expiresAtMs: Number.MAX_SAFE_INTEGER,
        principal: null,
        visible: items?.names.map((name) => policy.shows(userToken, server, name)) ?? [],
      };
    },
  };
  const decider = new Decider(client, cache, 500, clock);
  const ledger = new TaskLedger();
  const tasks = new Tasks({ decider, ledger, calls: new TaskCalls(), monotonicMs: clock.monotonicMs });
  const names = new KnownNames();
  const instructions = new Instructions({ decider, names });
  const memo = new ListMemo();
  const results: Readonly<Record<string, unknown>>[] = [];
  const told: (readonly [user: string, server: string, idJson: string | undefined, message: string])[] = [];
  const begin = (revision: string) => {
    policy.revision = revision;
    lease.renew(revision, 1_000, 0);
    cache.dropOutdated();
  };
  begin('r1');
  return {
    policy,
    begin,
    names,
    results,
    told,
    ledger,
    /** How much of a list comes to the agent. */
    async listed(asking: Asking = {}): Promise<string> {
      const { user = 'alice', server = 's', id = 1, era = 'legacy', listTtlMs = 1_000, isStream = false, method = 'tools/list' } = asking;
      const { message = TOOLS(id) } = asking;
      const principal = {
        user: { id: user, subject: user, issuer: 'i', groups: [] },
        agent: { namespace: '', serviceAccount: '', pod: '' },
      };
      const permit = {
        route: { name: server, url: new URL('http://s.test/mcp') },
        decision: decision({ principal }),
        userToken: user,
      } as unknown as Permit;
      const filter = new MessageFilter({
        permit,
        userToken: user,
        decider,
        tasks,
        memo,
        names,
        instructions,
        isHandshake: false,
        era,
        idJson: JSON.stringify(id),
        isResumed: false,
        page: { cursor: undefined },
        listTtlMs,
        onResult: (result, idJson, bytes) => {
          results.push(result);
          told.push([user, server, idJson, Buffer.from(bytes).toString()]);
        },
        onPing: () => {},
        onServerRequest: () => {},
      });
      const filtered = await (isStream ? filter.filter(message, undefined) : filter.filter(message, method, JSON.stringify(id)));
      assert.ok(filtered !== undefined);
      return Buffer.from(filtered).toString();
    },
  };
}

const OPEN = (id: number | string) =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"tools":[{"name":"open"}],"resultType":"complete"}}`;

describe('a list that was read before', () => {
  let mesh: ReturnType<typeof setUp>;
  beforeEach(() => {
    mesh = setUp();
    mesh.policy.shows = (user, _server, name) => name === 'open' || user === 'bob';
  });

  /** That it was known each time, so that the rest proves something. */
  const assertReadOnce = () => assert.equal(new Set(mesh.results).size, 1);

  it('is filtered for whom it goes to, whoever was first', async () => {
    for (const id of [1, 2, 33, 'x']) {
      assert.equal(await mesh.listed({ user: 'bob', id }), TOOLS(id).toString());
      assert.equal(await mesh.listed({ user: 'alice', id }), OPEN(id));
    }
    assertReadOnce();
    assert.equal(mesh.policy.asked, 2);
  });

  it('is filtered by the policy that holds now', async () => {
    assert.equal(await mesh.listed({ user: 'bob' }), TOOLS(1).toString());
    mesh.policy.shows = (_user, _server, name) => name === 'open';
    mesh.begin('r2');
    assert.equal(await mesh.listed({ user: 'bob' }), OPEN(1));
    mesh.policy.shows = () => true;
    mesh.begin('r3');
    assert.equal(await mesh.listed({ user: 'bob' }), TOOLS(1).toString());
    assertReadOnce();
  });

  it('is asked about each time where policy reads the time', async () => {
    mesh.policy.readsTime = true;
    assert.equal(await mesh.listed({ user: 'bob' }), TOOLS(1).toString());
    mesh.policy.shows = (_user, _server, name) => name === 'open';
    assert.equal(await mesh.listed({ user: 'bob' }), OPEN(1));
    assert.equal(mesh.policy.asked, 2);
    assertReadOnce();
  });

  it('is judged as the list of the server that sent it', async () => {
    mesh.policy.shows = (_user, server, name) => name === 'open' || server === 'a';
    assert.equal(await mesh.listed({ server: 'a' }), TOOLS(1).toString());
    assert.equal(await mesh.listed({ server: 'b' }), OPEN(1));
    for (const server of ['a', 'b']) {
      const { names, isWhole } = mesh.names.of(server, 'tools/list');
      assert.deepEqual([[...names], isWhole], [['open', 'secret'], true]);
    }
    assertReadOnce();
  });

  it('has the fields of the era and the time that it is asked in', async () => {
    const shortened = (ttlMs: number) => OPEN(1).replace('{"tools"', `{"cacheScope":"private","ttlMs":${ttlMs},"tools"`);
    for (let turn = 0; turn < 2; turn += 1) {
      assert.equal(await mesh.listed({ era: 'legacy' }), OPEN(1));
      assert.equal(await mesh.listed({ era: 'modern' }), shortened(1_000));
      assert.equal(await mesh.listed({ era: 'modern', listTtlMs: 5 }), shortened(5));
      assert.equal(await mesh.listed({ era: 'modern', user: 'bob' }), TOOLS(1).toString());
    }
    assertReadOnce();
  });

  it('is filtered in an event stream as well', async () => {
    for (const id of [1, 22]) {
      assert.equal(await mesh.listed({ user: 'bob', id, isStream: true }), TOOLS(id).toString());
      assert.equal(await mesh.listed({ user: 'alice', id, isStream: true }), OPEN(id));
    }
    assertReadOnce();
  });

  it('is told of each time, with its own id and bytes', async () => {
    for (const [user, id] of [
      ['alice', 1],
      ['bob', 'two'],
      ['alice', 3],
    ] as const) {
      await mesh.listed({ user, id });
      assert.deepEqual(mesh.told.at(-1), [user, 's', JSON.stringify(id), TOOLS(id).toString()]);
    }
    assertReadOnce();
  });

  it('must still be the answer to the request', async () => {
    await mesh.listed({ id: 1 });
    await assert.rejects(mesh.listed({ id: 2, message: TOOLS(1) }), /not an answer to the request/);
    await assert.rejects(mesh.listed({ id: 1, method: 'prompts/list' }), /no list in the result/);
  });

  it('shows each user their own tasks', async () => {
    mesh.policy.shows = () => true;
    mesh.ledger.created({ server: 's', userId: 'alice' }, 't1', 'open', undefined, 0);
    mesh.ledger.created({ server: 's', userId: 'bob' }, 't2', 'open', undefined, 0);
    for (let turn = 0; turn < 2; turn += 1) {
      for (const [user, own] of [
        ['alice', 't1'],
        ['bob', 't2'],
        ['carol', undefined],
      ] as const) {
        const text = await mesh.listed({ user, method: 'tasks/list', message: LISTED_TASKS });
        const tasks = own === undefined ? [] : [{ taskId: own }];
        assert.deepEqual(JSON.parse(text), { jsonrpc: '2.0', id: 1, result: { tasks } });
      }
    }
    assertReadOnce();
  });
});
