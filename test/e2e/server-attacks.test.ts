import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { json } from '../support/upstream.ts';
import { alice, assertRefused, gate, post, upstream } from './attacks/attacked-gate.ts';

describe('hidden and forbidden tools', () => {
  it('refuses a hidden tool that is called directly, and says why', async () => {
    const answer = await post(call('danger'));
    assert.equal(answer.status, 200);
    assertRefused(answer, 4030, 'forbidden');
    const error = rpcError(answer);
    assert.equal(error?.message, 'danger is never allowed');
    assert.match(error?.data?.sidegate.decisionId ?? '', /^[0-9a-f-]{36}$/);
    assert.match(error?.data?.sidegate.revision ?? '', /^[0-9a-f]+$/);
    assert.deepEqual(Object.keys(error?.data?.sidegate ?? {}), ['decisionId', 'revision', 'reason'], 'nothing else of policy');
  });

  const tools = [{ name: 'safe' }, { name: 'danger', description: 'the secret one' }, { name: 'other' }];
  const listRequest = JSON.stringify({ jsonrpc: '2.0', id: 'l', method: 'tools/list' });
  const message = JSON.stringify({ jsonrpc: '2.0', id: 'l', result: { tools, nextCursor: 'more' } });

  it('hides them in a JSON list, keeping the cursor', async () => {
    upstream.behave(
      (_request, response) => void response.writeHead(200, { 'content-type': 'Application/JSON; charset=utf-8' }).end(message),
    );
    const answer = await post(listRequest);
    assert.deepEqual(JSON.parse(answer.text).result, { tools: [{ name: 'safe' }], nextCursor: 'more' });
  });

  it('hides them in an event stream, however it is cut, and keeps ids, signs of life and other events', async () => {
    upstream.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const stream = `id: 0\ndata: \n\n: keep-alive\n\nevent: message\nid: 7\ndata: ${message}\n\n`;
      for (let at = 0; at < stream.length; at += 7) {
        response.write(stream.slice(at, at + 7));
        if (at % 70 === 0) await sleep(1);
      }
      response.end();
    });
    const { text } = await post(listRequest);
    assert.doesNotMatch(text, /danger|secret one|other/);
    assert.match(text, /^id: 0\ndata: \n\n:\n\nevent: message\nid: 7\ndata: \{.*"safe".*\}\n\n$/s);
  });

  it('hides them when a stream hands out a list that nobody asked for', async () => {
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`id: 1\ndata: ${message}\n\n`);
    });
    const answer = await send(gate.port, {
      method: 'GET',
      path: '/files/mcp',
      headers: { accept: 'text/event-stream', authorization: `Bearer ${alice}` },
    });
    assert.equal(answer.status, 200);
    assert.match(answer.text, /safe/);
    assert.doesNotMatch(answer.text, /danger|other/);
  });

  for (const [name, contentType, body] of [
    ['duplicate keys', 'application/json', '{"jsonrpc":"2.0","id":"l","result":{"tools":[],"tools":[{"name":"danger"}]}}'],
    ['a case variant of the key', 'application/json', '{"jsonrpc":"2.0","id":"l","result":{"tools":[],"Tools":[{"name":"danger"}]}}'],
    ['an array of messages', 'application/json', `[${message}]`],
    ['text after the message', 'application/json', `${message}${message}`],
    ['a content type that is not MCP’s', 'text/plain', message],
    ['an unreadable event', 'text/event-stream', `data: ${message.slice(0, -1)}\n\n`],
    [
      'a list larger than the limit',
      'application/json',
      JSON.stringify({ jsonrpc: '2.0', id: 'l', result: { tools: [{ name: 'danger', x: 'y'.repeat(70_000) }] } }),
    ],
  ] as const) {
    it(`withholds a list with ${name}`, async () => {
      upstream.behave((_request, response) => void response.writeHead(200, { 'content-type': contentType }).end(body));
      const answer = await post(listRequest);
      assert.doesNotMatch(answer.text, /danger/);
      assert.match(answer.text, /"code":5020/);
    });
  }

  it('does not pass on a compressed list', async () => {
    upstream.behave(
      (_request, response) => void response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(message),
    );
    assert.equal(rpcError(await post(listRequest))?.code, 5020);
    assert.equal(upstream.arrived[0]?.headers['accept-encoding'], undefined);
  });
});

describe('answers that two readers could read differently', () => {
  const ask = '{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{}}';
  const answer = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';

  for (const [name, contentType, body] of [
    ['an array with a request of the server in it', 'application/json', `[${answer},${ask}]`],
    ['a request of the server in place of the answer', 'application/json', ask],
    ['the answer to another request', 'application/json', '{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"danger"}]}}'],
    ['a type that no client expects', 'text/html', ask],
    ['an event stream in another charset', 'text/event-stream; charset=utf-16le', Buffer.from(`data: ${ask}\n\n`, 'utf16le')],
    ['an event after another reader’s line end', 'text/event-stream', `data: ${answer}\u2028\n: x\u2028data: ${ask}\n\n`],
    ['an unknown field with another reader’s line end', 'text/event-stream', `data: ${answer}\nx: \u0085data: ${ask}\n\n`],
  ] as const) {
    it(`are withheld: ${name}`, async () => {
      upstream.behave((_request, response) => void response.writeHead(200, { 'content-type': contentType }).end(body));
      const { text } = await post(call('safe'));
      assert.doesNotMatch(text, /sampling|danger/);
      assert.match(text, /"code":5020/);
    });
  }

  for (const [name, start] of [
    ['a byte order mark in the wrong encoding', '\u00ef\u00bb\u00bf'],
    ['a comment with another reader’s line end', ': x\u2028'],
    ['a byte order mark after the stream has begun', ': x\n\n\ufeff'],
  ] as const) {
    it(`are not passed unread: ${name} before an event`, async () => {
      upstream.behave((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`${start}data: ${ask}\n\ndata: ${answer}\n\n`);
      });
      const { text } = await post(call('safe'));
      assert.doesNotMatch(text, /sampling/);
      assert.match(text, /"content":\[\]/);
    });
  }

  it('keep line separators in texts, as escapes', async () => {
    upstream.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end('data: {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a\u2028b"}]}}\n\n');
    });
    const { text } = await post(call('safe'));
    assert.equal(JSON.parse(text.slice('data: '.length)).result.content[0].text, 'a\u2028b');
    assert.doesNotMatch(text, /\u2028/);
  });
});

describe('servers that misbehave', () => {
  for (const method of ['POST', 'GET', 'DELETE'] as const) {
    it(`cannot switch protocols in answer to a ${method}`, async () => {
      upstream.behave((_request, response) => {
        response.socket?.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: anything\r\n\r\nnot HTTP any more');
      });
      const headers = { ...MCP_HEADERS, authorization: `Bearer ${alice}` };
      const answer = await send(gate.port, { method, path: '/files/mcp', headers, ...(method === 'POST' && { body: call('safe') }) });
      assert.equal(rpcError(answer)?.code, 5020);
      assert.doesNotMatch(answer.text, /not HTTP/);
      assert.equal(upstream.arrived.length, 1);
    });
  }

  it('keeps a 401 and its challenge from the agent', async () => {
    upstream.behave((_request, response) => void response.writeHead(401, { 'www-authenticate': 'Bearer realm="x"' }).end());
    const answer = await post(call('safe'));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['www-authenticate'], undefined);
    assert.equal(rpcError(answer)?.code, 5020);
  });

  it('keeps a proxy’s 407 from the agent, since only the sidecar is one', async () => {
    upstream.behave((_request, response) => void response.writeHead(407, { 'proxy-authenticate': 'Basic' }).end());
    const answer = await post(call('safe'));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['proxy-authenticate'], undefined);
    assert.equal(rpcError(answer)?.code, 5020);
  });

  it('does not follow or pass on a redirect', async () => {
    upstream.behave((_request, response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/steal' }).end());
    const answer = await post(call('safe'));
    assert.equal(rpcError(answer)?.code, 5020);
    assert.equal(answer.headers['location'], undefined);
    assert.equal(upstream.arrived.length, 1);
  });

  it('says that a server cannot be reached, without its address', async () => {
    const answer = await post(call('x'), { server: 'dead' });
    assert.equal(rpcError(answer)?.code, 5020);
    assert.doesNotMatch(answer.text, /127\.0\.0\.1|ECONNREFUSED/);
  });

  it('ends a call whose server breaks off in the middle of a stream with an error', async () => {
    upstream.behave(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': working\n\ndata: {"jsonrpc":"2.0","method":"notifications/mess');
      await sleep(50);
      response.destroy();
    });
    const { text } = await post(call('safe', {}, 'the-id'));
    assert.match(text, /\n\nevent: message\ndata: \{"jsonrpc":"2\.0","id":"the-id","error":\{"code":5020/);
  });

  it('cannot keep a call out of the audit trail with an odd error code or status', async () => {
    const stored = () => gate.audit().filter(({ target }) => target === 'oddly-answered').length;
    for (const code of [1.5, 1e300, '4030']) {
      upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, error: { code, message: 'x' } }));
      await post(call('oddly-answered'), { server: 'tokens' });
    }
    upstream.behave((_request, response) => json(response, { jsonrpc: '2.0', id: 1, result: {} }, 799));
    assert.equal(rpcError(await post(call('oddly-answered'), { server: 'tokens' }))?.code, 5020);
    for (let tries = 0; tries < 400 && stored() < 4; tries += 1) await sleep(50);
    assert.equal(stored(), 4);
  });

  it('sends a call once, also when the connection breaks', async () => {
    upstream.behave((_request, response) => void response.destroy());
    assert.equal(rpcError(await post(call('safe')))?.code, 5020);
    assert.equal(upstream.arrived.length, 1);
  });

  it('passes 400 and 404 answers on as they are', async () => {
    for (const [status, message] of [
      [400, { jsonrpc: '2.0', id: 1, error: { code: -32022, message: 'no', data: { supported: ['2026-07-28'] } } }],
      // The Python SDK's servers answer errors of HTTP under an id of their own.
      [400, { jsonrpc: '2.0', id: 'server-error', error: { code: -32600, message: 'Bad Request: Missing session ID' } }],
      [404, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }],
    ] as const) {
      upstream.behave((_request, response) => json(response, message, status));
      const answer = await post(call('safe'));
      assert.equal(answer.status, status);
      assert.deepEqual(JSON.parse(answer.text), message);
    }
  });
});
