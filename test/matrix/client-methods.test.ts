import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { rpcError } from '../support/mcp-request.ts';
import {
  answering,
  event,
  forgedEvents,
  type MatrixGate,
  MESSAGE_ID,
  type Message,
  refusing,
  resultOf,
  startMatrixGate,
  streaming,
  streamingAlways,
  type User,
} from './matrix-gate.ts';
import {
  CLIENT_NOTIFICATIONS,
  CLIENT_REQUESTS,
  type ClientNotificationRow,
  type ClientRequestRow,
  REVISIONS,
  type Revision,
  rowsOf,
} from './method-table.ts';

const DENIED = 4030;

let gate: MatrixGate;

before(async () => {
  gate = await startMatrixGate();
});

after(() => gate.stop());

beforeEach(() => {
  gate.behave(refusing);
  gate.arrived.length = 0;
});

async function assertDenied(revision: Revision, user: User, message: Message, code = DENIED): Promise<void> {
  const answer = await gate.post(revision, user, message);
  // Without an id there is no request that an error could answer: the status has to say it.
  assert.equal(answer.status, message.id === undefined ? 403 : 200);
  assert.equal(rpcError(answer)?.code, code, answer.text);
  assert.deepEqual(gate.fromAgent(), [], 'nothing reaches the server');
}

function requestCases(revision: Revision, { name: method, params, result, deny, filter }: ClientRequestRow): void {
  const message = { method, params, id: MESSAGE_ID };

  it('allow: the very bytes reach the server, and its answer comes back', async () => {
    const text = resultOf(revision, result);
    gate.behave(answering(text));
    const answer = await gate.post(revision, 'alice', message);
    assert.equal(answer.text, text);
    gate.assertArrived(revision, message);
  });

  it('deny: nothing reaches the server', async () => {
    await assertDenied(revision, (deny.as ?? 'alice') as User, { ...message, params: deny.params ?? params }, deny.code);
  });

  const { means, result: whole, shown } = filter;
  if (whole === undefined || shown === undefined) {
    it(`filter: ${means}`, async () => {
      const forged = forgedEvents('f');
      const own = event(resultOf(revision, result));
      gate.behave(streaming(forged.sent + own));
      assert.equal((await gate.post(revision, 'alice', message)).text, forged.left + own);
    });
    return;
  }
  it(`filter: ${means}`, async () => {
    gate.behave(answering(resultOf(revision, whole)));
    assert.equal((await gate.post(revision, 'alice', message)).text, resultOf(revision, shown));
  });
  it(`filter: ${means}, in an event stream`, async () => {
    gate.behave(streaming(event(resultOf(revision, whole))));
    assert.equal((await gate.post(revision, 'alice', message)).text, event(resultOf(revision, shown)));
  });
}

function notificationCases(revision: Revision, { name: method, params }: ClientNotificationRow): void {
  const message = { method, params };

  it('allow: the very bytes reach the server, and it accepts them', async () => {
    gate.behave((_request, response) => void response.writeHead(202).end());
    const answer = await gate.post(revision, 'alice', message);
    assert.deepEqual([answer.status, answer.text], [202, '']);
    gate.assertArrived(revision, message);
  });

  it('deny: nothing reaches the server', async () => {
    // What MCP gives to no client falls under the methods that a policy must name, which bob's do not.
    await assertDenied(revision, method === 'notifications/tasks/status' ? 'bob' : 'carol', message);
  });

  it('filter: a stream that answers it loses what is forged on it', async () => {
    const forged = forgedEvents('f');
    gate.behave(streamingAlways(forged.sent));
    assert.equal((await gate.post(revision, 'alice', message)).text, forged.left);
  });
}

for (const revision of REVISIONS) {
  describe(`what a client of ${revision} sends`, () => {
    for (const row of rowsOf(CLIENT_REQUESTS, revision)) describe(row.name, () => requestCases(revision, row));
    for (const row of rowsOf(CLIENT_NOTIFICATIONS, revision)) describe(row.name, () => notificationCases(revision, row));
  });
}
