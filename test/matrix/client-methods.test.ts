import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { MCP_HEADERS, rpcError } from '../support/mcp-request.ts';
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

function requestCases(revision: Revision, { name: method, before: steps, params, result, deny, filter }: ClientRequestRow): void {
  const message = { method, params, id: MESSAGE_ID };

  beforeEach(() => gate.run(revision, steps));

  it('allow: the very bytes reach the server, and its answer comes back', async () => {
    const text = resultOf(revision, result);
    gate.behave(answering(text));
    const answer = await gate.post(revision, 'alice', message);
    assert.equal(answer.text, text);
    gate.assertArrived(revision, message);
  });

  for (const { means, as = 'alice', params: others = params, code } of deny) {
    it(`deny: nothing reaches the server${means === undefined ? '' : ` of ${means}`}`, async () => {
      gate.behave(refusing);
      await assertDenied(revision, as as User, { ...message, params: others }, code);
    });
  }

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
  it(`filter: ${means}, in an event stream among what is forged`, async () => {
    const forged = forgedEvents('f');
    gate.behave(streaming(forged.sent + event(resultOf(revision, whole))));
    assert.equal((await gate.post(revision, 'alice', message)).text, forged.left + event(resultOf(revision, shown)));
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

/** 2025-03-26 alone has arrays of messages. Each message in one is judged by itself, so that the server never sees the array. */
function batchCases({ name: method, params, result, deny, filter }: ClientRequestRow): void {
  const revision = '2025-03-26';
  const message = { method, params, id: MESSAGE_ID };
  const refused = { method: 'prompts/get', params: { name: 'hidden-a' }, id: 'refused' };

  it('allow: the very bytes reach the server, and its answer comes back among the others', async () => {
    const text = resultOf(revision, result);
    gate.behave(answering(text));
    const answer = await gate.postBatch('alice', [refused, message], 'application/json');
    assert.match(answer.text, /^\[\{"jsonrpc":"2\.0","id":"refused","error":\{"code":4030,/);
    assert.ok(answer.text.endsWith(`,${text}]`), answer.text);
    gate.assertArrived(revision, message);
  });

  it('deny: nothing reaches the server', async () => {
    for (const { as = 'alice', params: others = params, code = DENIED } of deny) {
      const answer = await gate.postBatch(as as User, [{ ...message, params: others }], 'application/json');
      assert.equal(answer.status, 200);
      assert.deepEqual(
        (JSON.parse(answer.text) as { error?: { code: number } }[]).map(({ error }) => error?.code),
        [code],
      );
      assert.deepEqual(gate.fromAgent(), []);
    }
  });

  it(`filter: ${filter.means}`, async () => {
    const forged = forgedEvents('f');
    const { result: whole = result, shown = result } = filter;
    gate.behave(streaming(forged.sent + event(resultOf(revision, whole))));
    const answer = await gate.postBatch('alice', [message], MCP_HEADERS.accept);
    // A stream of many answers cannot be resumed as one of them, so that it has no ids; and a filtered message may leave a keep-alive.
    assert.deepEqual(eventsOf(answer), eventsOf({ text: forged.left + event(resultOf(revision, shown)) }));
  });
}

const eventsOf = ({ text }: { readonly text: string }) => text.split('\n').filter((line) => line.startsWith('data: '));

describe('in an array of messages, which 2025-03-26 has', () => {
  for (const row of rowsOf(CLIENT_REQUESTS, '2025-03-26')) if (row.name !== 'initialize') describe(row.name, () => batchCases(row));

  for (const { name: method, params } of rowsOf(CLIENT_NOTIFICATIONS, '2025-03-26')) {
    describe(method, () => {
      it('allow: the very bytes reach the server, and it is accepted', async () => {
        gate.behave((_request, response) => void response.writeHead(202).end());
        assert.equal((await gate.postBatch('alice', [{ method, params }], 'application/json')).status, 202);
        gate.assertArrived('2025-03-26', { method, params });
      });

      it('deny: nothing reaches the server', async () => {
        const answer = await gate.postBatch('carol', [{ method, params }], 'application/json');
        assert.deepEqual([answer.status, rpcError(answer)?.code], [403, DENIED]);
        assert.deepEqual(gate.fromAgent(), []);
      });

      it('filter: a stream that answers it is not passed on', async () => {
        gate.behave(streamingAlways(forgedEvents('f').sent));
        assert.equal((await gate.postBatch('alice', [{ method, params }], MCP_HEADERS.accept)).text, '');
      });
    });
  }

  it('initialize has no place', async () => {
    const params = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: 'matrix', version: '1' } };
    const answer = await gate.postBatch('alice', [{ method: 'initialize', params, id: MESSAGE_ID }], 'application/json');
    assert.equal(answer.status, 400);
    assert.deepEqual(gate.fromAgent(), []);
  });

  for (const revision of REVISIONS.filter((one) => one !== '2025-03-26' && one !== '2024-11-05')) {
    it(`${revision} has none`, async () => {
      const answer = await gate.postBatch('alice', [{ method: 'tools/list', id: MESSAGE_ID }], 'application/json', revision);
      assert.equal(answer.status, 400);
      assert.deepEqual(gate.fromAgent(), []);
    });
  }
});

for (const revision of REVISIONS) {
  describe(`what a client of ${revision} sends`, () => {
    for (const row of rowsOf(CLIENT_REQUESTS, revision)) describe(row.name, () => requestCases(revision, row));
    for (const row of rowsOf(CLIENT_NOTIFICATIONS, revision)) describe(row.name, () => notificationCases(revision, row));
  });
}
