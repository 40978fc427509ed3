import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Answer, rpcError } from '../support/mcp-request.ts';
import {
  answering,
  arrival,
  event,
  forgedEvents,
  type MatrixGate,
  MESSAGE_ID,
  refusing,
  resultOf,
  startMatrixGate,
  streaming,
  type User,
} from './matrix-gate.ts';
import {
  REVISIONS,
  type Revision,
  rowsOf,
  SERVER_NOTIFICATIONS,
  SERVER_REQUESTS,
  type ServerNotificationRow,
  type ServerRequestRow,
} from './method-table.ts';

const CALL = { method: 'tools/call', params: { name: 'safe', arguments: {} }, id: MESSAGE_ID };
const LISTEN = { method: 'subscriptions/listen', params: { notifications: { toolsListChanged: true } }, id: MESSAGE_ID };
const PROGRESS = event('{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}');
const REFUSED = '{"jsonrpc":"2.0","id":"refused","method":"agent/run","params":{}}';

let gate: MatrixGate;
let asked = 0;

before(async () => {
  gate = await startMatrixGate();
});

after(() => gate.stop());

beforeEach(() => {
  gate.behave(refusing);
  gate.arrived.length = 0;
});

const ended = (revision: Revision) => event(resultOf(revision, { content: [] }));

/** The two streams on which servers ask, up to 2025-11-25. */
const CARRIERS = [
  ['the answer of a call', (revision: Revision, user: User) => gate.post(revision, user, CALL), true],
  ['the GET stream', (revision: Revision, user: User) => gate.get(revision, user), false],
] as const;

function requestCases(revision: Revision, { name: method, params, result }: ServerRequestRow): void {
  const requestOf = (id: string) => JSON.stringify({ jsonrpc: '2.0', id, method, ...(params !== undefined && { params }) });
  const answerOf = (id: string) => JSON.stringify({ jsonrpc: '2.0', id, result });
  const isAnswer = (id: string) => (request: { body: Buffer }) => request.body.includes(`"${id}"`) && !request.body.includes('"method"');
  const newId = () => `ask-${++asked}`;

  for (const [where, open, hasResult] of CARRIERS) {
    const end = hasResult ? ended(revision) : '';

    it(`allow: it reaches the agent on ${where}, and the answer's very bytes reach the server, once`, async () => {
      const id = newId();
      const stream = PROGRESS + event(requestOf(id)) + end;
      gate.behave(streaming(stream));
      assert.equal((await open(revision, 'alice')).text, stream);
      gate.arrived.length = 0;
      assert.equal((await gate.respond(revision, 'alice', answerOf(id))).status, 202);
      assert.equal((await gate.respond(revision, 'alice', answerOf(id))).status, 400);
      assert.deepEqual(gate.fromAgent(), [answerOf(id)]);
    });

    if (method === 'ping') {
      it(`deny: an answer to a ping that was never sent does not reach the server: ${where}`, async () => {
        gate.behave(streaming(PROGRESS + end));
        await open(revision, 'alice');
        gate.arrived.length = 0;
        assert.equal((await gate.respond(revision, 'alice', answerOf(newId()))).status, 400);
        assert.deepEqual(gate.fromAgent(), []);
      });
      it(`filter: a refused request beside it is lost from ${where}, and the ping passes as it is`, async () => {
        const ping = event(requestOf(newId()));
        gate.behave(streaming(event(REFUSED) + ping + event(REFUSED) + end));
        assert.equal((await open(revision, 'bob')).text, ping + end);
      });
      continue;
    }
    it(`deny: on ${where} it does not reach the agent, whose answer does not reach the server, which is told so`, async () => {
      const id = newId();
      gate.behave(streaming(event(requestOf(id)) + end));
      assert.doesNotMatch((await open(revision, 'bob')).text, new RegExp(id));
      const told = await arrival(gate.arrived, isAnswer(id));
      assert.equal(JSON.parse(told.body.toString()).error.code, 4030);
      const before = gate.fromAgent();
      assert.equal((await gate.respond(revision, 'bob', answerOf(id))).status, 400);
      assert.deepEqual(gate.fromAgent(), before);
    });
    it(`filter: ${where} loses it, and nothing else`, async () => {
      const id = newId();
      gate.behave(streaming(PROGRESS + event(requestOf(id)) + PROGRESS + end));
      assert.equal((await open(revision, 'bob')).text, PROGRESS + PROGRESS + end);
      await arrival(gate.arrived, isAnswer(id));
    });
  }
}

/** In 2026-07-28 a server asks inside the result of a call. */
function inputRequestCases(revision: Revision, { name: method, params, result }: ServerRequestRow): void {
  const asking = resultOf(revision, {
    resultType: 'input_required',
    inputRequests: { it: { method, ...(params !== undefined && { params }) } },
    requestState: 'opaque',
  });

  it('allow: the result that asks passes as it is, and the very bytes of the call that answers reach the server', async () => {
    gate.behave(answering(asking));
    assert.equal((await gate.post(revision, 'alice', CALL)).text, asking);
    gate.arrived.length = 0;
    const retry = { ...CALL, params: { ...CALL.params, inputResponses: { it: result }, requestState: 'opaque' } };
    gate.behave(answering(resultOf(revision, { content: [] })));
    assert.equal((await gate.post(revision, 'alice', retry)).text, resultOf(revision, { content: [] }));
    gate.assertArrived(revision, retry);
  });

  it('deny: the result is replaced by a refusal', async () => {
    gate.behave(answering(asking));
    const answer = await gate.post(revision, 'bob', CALL);
    assert.equal(rpcError(answer)?.code, 4030);
    assert.doesNotMatch(answer.text, /inputRequests|opaque/);
  });

  it('filter: of a stream, the result is lost to a refusal, and what came before it passes as it is', async () => {
    gate.behave(streaming(PROGRESS + event(asking)));
    const { text } = await gate.post(revision, 'bob', CALL);
    assert.ok(text.startsWith(PROGRESS));
    assert.match(text.slice(PROGRESS.length), /^event: message\ndata: \{"jsonrpc":"2\.0","id":"matrix-1","error":\{"code":4030,.*\}\n\n$/);
  });
}

function notificationCases(revision: Revision, { name: method, before: steps, params, on, deny }: ServerNotificationRow): void {
  const isLegacy = revision < '2026-07-28';
  const eventOf = (some: unknown) => event(JSON.stringify({ jsonrpc: '2.0', method, ...(some !== undefined && { params: some }) }));
  const own = eventOf(params);
  const end = on === 'stream' && isLegacy ? '' : ended(revision);
  const open = (user: User): Promise<Answer> => {
    if (on === 'call') return gate.post(revision, user, CALL);
    return isLegacy ? gate.get(revision, user) : gate.post(revision, user, LISTEN);
  };

  beforeEach(() => gate.run(revision, steps));

  it('allow: it reaches the agent as it is', async () => {
    gate.behave(streaming(own + end));
    assert.equal((await open('alice')).text, own + end);
  });

  if (deny === undefined) {
    it('deny: a user who may not have its stream does not get it', async () => {
      gate.behave(streaming(own + end));
      const { status, text } = await open('carol');
      assert.equal(status, on === 'stream' && isLegacy ? 403 : 200);
      assert.equal(JSON.parse(text).error.code, 4030);
      assert.deepEqual(gate.fromAgent(), []);
    });
  } else {
    it('deny: about what the user may not see it does not reach the agent', async () => {
      gate.behave(streaming(eventOf(deny) + end));
      assert.equal((await open('alice')).text, end);
    });
  }

  it('filter: what is forged around it is lost, and it passes as it is', async () => {
    const [early, late] = [forgedEvents('early'), forgedEvents('late')];
    gate.behave(streaming(early.sent + own + late.sent + end));
    assert.equal((await open('alice')).text, early.left + own + late.left + end);
  });
}

for (const revision of REVISIONS) {
  const cases = revision < '2026-07-28' ? requestCases : inputRequestCases;
  describe(`what a server of ${revision} sends`, () => {
    for (const row of rowsOf(SERVER_REQUESTS, revision)) describe(row.name, () => cases(revision, row));
    for (const row of rowsOf(SERVER_NOTIFICATIONS, revision)) describe(row.name, () => notificationCases(revision, row));
  });
}
