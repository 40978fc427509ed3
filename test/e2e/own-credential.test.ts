import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, call, MCP_HEADERS, type RawRequest, rpcError, send } from '../support/mcp-request.ts';
import { echoResult, json, startUpstream, type Upstream } from '../support/upstream.ts';

const POLICIES = `
permit (principal, action == Action::"CallUndeclaredTool", resource);
@id("no-danger")
@reason("danger is never allowed")
forbid (principal, action == Action::"CallUndeclaredTool", resource == Tool::"own/danger");
@id("mallory-is-out")
@reason("mallory is out")
forbid (principal == User::"mallory", action, resource);
`;
/** What the server's own authorization gave the agent. */
const OWN_TOKEN = 'the-agents-own-token';
const PROOF = 'the-agents-proof-of-possession';
const CHALLENGE = 'Bearer realm="own", error="insufficient_scope", scope="files:read files:write", resource_metadata="http://x/y"';

let upstream: Upstream;
let elsewhere: Upstream;
let gate: Gate;
let alice: string;
let own: string;

before(async () => {
  upstream = await startUpstream();
  elsewhere = await startUpstream();
  own = upstream.url;
  const server = (name: string, url: string, credential: string) => `name: ${name}\nurl: ${url}\ncredential: ${credential}\n`;
  gate = await startGate({
    servers: { plain: `${own}/plain` },
    policies: POLICIES,
    files: {
      'servers/own.yaml': server('own', own, '{strategy: agent}'),
      'servers/dead.yaml': server('dead', 'http://127.0.0.1:9/mcp', '{strategy: agent}'),
      'servers/tokens.yaml': server(
        'tokens',
        `${own}/tokens`,
        '{strategy: file, path: "tokens/{user}", header: authorization, format: "Bearer {secret}"}',
      ),
    },
    secrets: { 'tokens/alice': 'alices-upstream-secret\n' },
    sidecarEnv: { SIDEGATE_LOG_LEVEL: 'trace' },
    extauthzEnv: { SIDEGATE_LOG_LEVEL: 'trace' },
  });
  alice = await gate.token('alice');
});

after(async () => {
  await gate.stop();
  await upstream.close();
  await elsewhere.close();
});

beforeEach(() => {
  upstream.behave(echoResult);
  upstream.arrived.length = 0;
  elsewhere.arrived.length = 0;
});

/** A request of an agent that uses the sidecar as its proxy; `headers` given as undefined are left out. */
function captured(
  path: string,
  { headers = {}, ...options }: Omit<RawRequest, 'headers'> & { headers?: Record<string, string | string[] | undefined> } = {},
): Promise<Answer> {
  const all = {
    ...MCP_HEADERS,
    host: new URL(path).host,
    'proxy-authorization': `Bearer ${alice}`,
    authorization: `Bearer ${OWN_TOKEN}`,
    dpop: PROOF,
    ...headers,
  };
  const sent = Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
  return send(gate.port, { path, ...options, headers: sent });
}

const post = (body: string, headers: Record<string, string | string[] | undefined> = {}, path = own) => captured(path, { body, headers });

function assertNothingArrived(): void {
  assert.deepEqual([upstream.arrived.length, elsewhere.arrived.length], [0, 0], 'nothing may reach a server');
}

function assertDenied(answer: Answer, reason: RegExp): void {
  assert.equal(rpcError(answer)?.code, 4030, answer.text);
  assert.match(rpcError(answer)?.data?.sidegate.reason ?? '', reason);
  assert.equal(answer.headers['www-authenticate'], undefined);
  assertNothingArrived();
}

describe('an agent that brings its own credential', () => {
  it('shows it to the server, and the user’s token to the sidecar alone', async () => {
    const answer = await post(call('safe'), { cookie: 'c=1', 'x-api-key': 'k' });
    assert.equal(rpcError(answer), undefined, answer.text);
    const { headers } = upstream.arrived[0] ?? {};
    assert.deepEqual([headers?.authorization, headers?.['dpop']], [`Bearer ${OWN_TOKEN}`, PROOF]);
    assert.equal(headers?.host, new URL(own).host);
    assert.deepEqual([headers?.['proxy-authorization'], headers?.cookie, headers?.['x-api-key']], [undefined, undefined, undefined]);
    assert.equal(JSON.stringify(upstream.arrived).includes(alice), false);
  });

  it('may call without one, since that is how it learns who gives it', async () => {
    assert.equal(rpcError(await post(call('safe'), { authorization: undefined, dpop: undefined })), undefined);
    assert.equal(upstream.arrived[0]?.headers.authorization, undefined);
  });

  it('is governed as the user of Proxy-Authorization', async () => {
    assertDenied(await post(call('danger')), /danger is never allowed/);
    assertDenied(await post(call('safe'), { 'proxy-authorization': `Bearer ${await gate.token('mallory')}` }), /mallory is out/);
  });

  for (const [name, headersOf] of [
    ['no user token', async () => ({ 'proxy-authorization': undefined })],
    ['a user token that only the server is shown', async () => ({ 'proxy-authorization': undefined, authorization: `Bearer ${alice}` })],
    [
      'a user token of another scheme',
      async () => ({ 'proxy-authorization': `Basic ${Buffer.from(`alice:${alice}`).toString('base64')}` }),
    ],
    [
      'its own credential in place of the user’s token',
      async () => ({ 'proxy-authorization': `Bearer ${OWN_TOKEN}`, authorization: undefined }),
    ],
    [
      'an expired user token',
      async () => ({ 'proxy-authorization': `Bearer ${await gate.token('alice', { exp: Math.floor(Date.now() / 1_000) - 60 })}` }),
    ],
  ] as const) {
    it(`is refused with ${name}, without HTTP 401`, async () => {
      const answer = await post(call('safe'), await headersOf());
      assert.equal(answer.status, 200);
      assertDenied(answer, /user token/);
    });
  }

  it('is refused when it would show the user’s token to the server', async () => {
    for (const scheme of ['Bearer', 'DPoP']) {
      const answer = await post(call('safe'), { authorization: `${scheme} ${alice}` });
      assert.equal(answer.status, 400);
      assert.equal(answer.text.includes(alice), false);
      assertNothingArrived();
    }
  });

  it('is told how to call such a server when it uses the sidecar’s own path, where Authorization would mean two things', async () => {
    for (const authorization of [`Bearer ${alice}`, `Bearer ${OWN_TOKEN}`]) {
      for (const path of ['/own/mcp', '/own/mcp/']) {
        const answer = await send(gate.port, {
          path,
          body: call('safe'),
          headers: { ...MCP_HEADERS, authorization, 'proxy-authorization': `Bearer ${alice}` },
        });
        assert.equal(answer.status, 200);
        assertDenied(answer, /authorizes agents itself: call it under its own URL/);
      }
    }
    for (const method of ['GET', 'DELETE']) {
      const answer = await send(gate.port, { method, path: '/own/mcp', headers: { authorization: `Bearer ${alice}` } });
      assert.equal(answer.status, 403);
      assertNothingArrived();
    }
  });

  for (const name of ['authorization', 'proxy-authorization', 'dpop']) {
    it(`is refused with two ${name} fields`, async () => {
      const value = name === 'proxy-authorization' ? `Bearer ${alice}` : 'Bearer one';
      assert.equal((await post(call('safe'), { [name]: [value, 'Bearer two'] })).status, 400);
      assertNothingArrived();
    });
  }

  for (const [name, host] of [
    ['localhost', 'localhost'],
    ['another server', 'evil.example'],
    ['the same host at another port', '127.0.0.1:1'],
  ] as const) {
    it(`is refused when Host names ${name}, the target this server`, async () => {
      const answer = await post(call('safe'), { host });
      assert.equal(answer.status, 403);
      assertNothingArrived();
    });
  }

  it('is refused with a foreign Origin', async () => {
    assert.equal((await post(call('safe'), { origin: 'http://evil.example' })).status, 403);
    assertNothingArrived();
  });

  it('uses it on the stream and at the end of the session, too', async () => {
    upstream.behave((_request, response) => void response.writeHead(405).end());
    for (const method of ['GET', 'DELETE']) {
      assert.equal((await captured(own, { method })).status, 405);
      const { headers } = upstream.arrived.at(-1) ?? {};
      assert.deepEqual([headers?.authorization, headers?.['proxy-authorization']], [`Bearer ${OWN_TOKEN}`, undefined], method);
    }
  });

  it('has it shown when the sidecar refuses a request of the server in its place', async () => {
    upstream.behave((request, response) => {
      if (!request.body.includes('tools/call')) return void response.writeHead(202).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}\n\n');
      response.end('data: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n\n');
    });
    await post(call('safe'));
    for (let tries = 0; tries < 1_000 && upstream.arrived.length < 2; tries += 1) await sleep(25);
    const told = upstream.arrived[1];
    assert.match(told?.body.toString() ?? '', /"id":"s1","error"/);
    assert.deepEqual([told?.headers.authorization, told?.headers['proxy-authorization']], [`Bearer ${OWN_TOKEN}`, undefined]);
  });
});

describe('what such a server answers', () => {
  for (const status of [401, 403]) {
    it(`reaches the agent whole with HTTP ${status}, challenge included`, async () => {
      upstream.behave(
        (_request, response) =>
          void response
            .writeHead(status, [
              'WWW-Authenticate',
              CHALLENGE,
              'WWW-Authenticate',
              'DPoP algs="ES256"',
              'DPoP-Nonce',
              'n1',
              'Set-Cookie',
              'a=b',
            ])
            .end('{"error":"insufficient_scope"}'),
      );
      const answer = await post(call('safe'));
      assert.equal(answer.status, status);
      assert.equal(answer.headers['www-authenticate'], `${CHALLENGE}, DPoP algs="ES256"`);
      assert.deepEqual([answer.headers['dpop-nonce'], answer.headers['set-cookie']], ['n1', undefined]);
      assert.equal(answer.text, '{"error":"insufficient_scope"}');
      const stream = await captured(own, { method: 'GET' });
      assert.deepEqual([stream.status, stream.headers['www-authenticate']], [status, `${CHALLENGE}, DPoP algs="ES256"`]);
    });
  }

  it('keeps its challenge when it answers a batch', async () => {
    upstream.behave((_request, response) => void response.writeHead(401, { 'www-authenticate': CHALLENGE }).end());
    const version = { 'mcp-protocol-version': '2025-03-26' };
    const notification = '{"jsonrpc":"2.0","method":"notifications/initialized"}';
    for (const batch of [`[${call('safe')},${call('safe', {}, 2)}]`, `[${notification}]`]) {
      const answer = await post(batch, version);
      assert.deepEqual([answer.status, answer.headers['www-authenticate']], [401, CHALLENGE]);
    }
  });

  it('may point elsewhere, but the sidecar does not lead there', async () => {
    const document = elsewhere.url.replace('/mcp', '/.well-known/oauth-protected-resource');
    const challenge = `Bearer resource_metadata="${document}"`;
    upstream.behave((_request, response) => void response.writeHead(401, { 'www-authenticate': challenge }).end());
    assert.equal((await post(call('safe'))).headers['www-authenticate'], challenge);
    upstream.arrived.length = 0;
    assert.equal((await captured(document, { method: 'GET' })).status, 404);
    assertNothingArrived();
  });

  it('is no redirect', async () => {
    for (const status of [302, 307, 308]) {
      upstream.behave((_request, response) => void response.writeHead(status, { location: elsewhere.url }).end());
      const answer = await post(call('safe'));
      assert.equal(rpcError(answer)?.code, 5020);
      assert.equal(answer.headers['location'], undefined);
    }
    assert.equal(elsewhere.arrived.length, 0);
  });
});

describe('a server with another strategy', () => {
  for (const [server, credential] of [
    ['plain', undefined],
    ['tokens', 'Bearer alices-upstream-secret'],
  ] as const) {
    it(`gets nothing of the agent’s, and keeps its challenge (${server})`, async () => {
      const authorization = `Bearer ${alice}`;
      for (const headers of [{ authorization }, { authorization, 'proxy-authorization': `Bearer ${OWN_TOKEN}` }]) {
        upstream.arrived.length = 0;
        assert.equal(rpcError(await post(call('safe'), headers, `${own}/${server}`)), undefined);
        const sent = upstream.arrived[0]?.headers;
        assert.deepEqual([sent?.authorization, sent?.['dpop'], sent?.['proxy-authorization']], [credential, undefined, undefined]);
      }
      upstream.behave((_request, response) => void response.writeHead(401, { 'www-authenticate': CHALLENGE }).end());
      const answer = await post(call('safe'), { authorization }, `${own}/${server}`);
      assert.equal(rpcError(answer)?.code, 5020);
      assert.equal(answer.headers['www-authenticate'], undefined);
    });

    it(`does not take the user’s token from Proxy-Authorization (${server})`, async () => {
      assertDenied(await post(call('safe'), {}, `${own}/${server}`), /user token/);
    });

    it(`has no metadata that the sidecar would fetch (${server})`, async () => {
      const path = own.replace('/mcp', `/.well-known/oauth-protected-resource/mcp/${server}`);
      assert.equal((await captured(path, { method: 'GET' })).status, 404);
      assertNothingArrived();
    });
  }
});

describe('a server’s metadata', () => {
  const wellKnown = (suffix = '') => own.replace('/mcp', `/.well-known/oauth-protected-resource${suffix}`);
  const DOCUMENT = '{"resource": "http://x/mcp",\n "authorization_servers": ["https://issuer.example"]}';
  const get = (path: string, headers: Record<string, string | undefined> = {}) => captured(path, { method: 'GET', headers });
  beforeEach(() =>
    upstream.behave((_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(DOCUMENT)),
  );

  it('is fetched for a user, and without any credential', async () => {
    for (const path of [wellKnown('/mcp'), wellKnown()]) {
      const answer = await get(path, { 'mcp-protocol-version': '2025-11-25' });
      assert.deepEqual([answer.status, answer.text], [200, DOCUMENT]);
      const arrived = upstream.arrived.at(-1);
      assert.deepEqual([arrived?.method, `http://${arrived?.headers.host}${arrived?.path}`], ['GET', path]);
      assert.deepEqual(Object.keys(arrived?.headers ?? {}).sort(), [
        'accept',
        'connection',
        'content-type',
        'host',
        'mcp-protocol-version',
        'traceparent',
      ]);
    }
  });

  it('is not fetched for nobody, nor for a user whom policy keeps from the server', async () => {
    for (const proof of [undefined, 'Bearer nonsense', `Bearer ${await gate.token('mallory')}`]) {
      const answer = await get(wellKnown(), { 'proxy-authorization': proof });
      assert.equal(answer.status, 403);
      assert.equal(rpcError(answer)?.code, 4030);
    }
    assertNothingArrived();
  });

  it('is only ever read, and nothing else of its origin is', async () => {
    for (const method of ['POST', 'DELETE', 'PUT', 'HEAD']) {
      assert.equal((await captured(wellKnown(), { method, ...(method === 'POST' && { body: call('safe') }) })).status, 405, method);
    }
    for (const path of [
      wellKnown('?x=1'),
      wellKnown('/'),
      wellKnown('/mcp/other'),
      wellKnown('/../mcp'),
      wellKnown('%2fmcp'),
      own.replace('/mcp', '/.well-known/oauth-authorization-server'),
      own.replace('/mcp', '/token'),
      own.replace('/mcp', '/'),
    ])
      assert.equal((await get(path)).status, 404, path);
    assert.equal((await get(wellKnown(), { host: 'localhost' })).status, 403);
    assertNothingArrived();
  });

  it('is withheld when it redirects, asks for a credential, is too large, or is no JSON', async () => {
    for (const [status, headers, body] of [
      [302, { location: elsewhere.url }, ''],
      [401, { 'www-authenticate': CHALLENGE }, ''],
      [200, { 'content-type': 'application/json' }, `"${'x'.repeat(70_000)}"`],
      [404, { 'content-type': 'text/plain' }, 'x'.repeat(70_000)],
      [200, { 'content-type': 'text/html' }, '<script>'],
      [200, { 'content-type': 'text/event-stream' }, 'data: {}\n\n'],
      [200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }, 'x'],
    ] as const) {
      upstream.behave((_request, response) => void response.writeHead(status, headers).end(body));
      const answer = await get(wellKnown());
      assert.equal(rpcError(answer)?.code, 5020, `${status} ${JSON.stringify(headers)}`);
      assert.deepEqual([answer.headers['location'], answer.headers['www-authenticate']], [undefined, undefined]);
    }
    assert.equal(elsewhere.arrived.length, 0);
  });

  it('may not exist', async () => {
    upstream.behave((_request, response) => json(response, { error: 'not found' }, 404));
    const answer = await get(wellKnown());
    assert.deepEqual([answer.status, answer.text], [404, '{"error":"not found"}']);
  });

  it('may lie where the server’s challenge says, on its own origin', async () => {
    const path = own.replace('/mcp', '/custom/metadata.json');
    assert.equal((await get(path)).status, 404, 'not yet');
    const challenge = { 'www-authenticate': `Bearer resource_metadata="${path}", scope="x"` };
    upstream.behave((_request, response) => void response.writeHead(401, challenge).end());
    assert.equal((await post(call('safe'))).headers['www-authenticate'], challenge['www-authenticate']);
    upstream.behave((_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(DOCUMENT));
    upstream.arrived.length = 0;
    assert.equal((await get(path)).text, DOCUMENT);
    assert.deepEqual([upstream.arrived[0]?.path, upstream.arrived[0]?.headers.authorization], ['/custom/metadata.json', undefined]);
    assert.equal((await captured(path, { body: call('safe') })).status, 405);
    assert.equal((await get(path, { 'proxy-authorization': undefined })).status, 403);
    assert.equal(upstream.arrived.length, 1);
  });

  it('leaves an audit record like any other message', async () => {
    const recorded = () => gate.audit().filter(({ method, outcome }) => method === 'http/resource-metadata' && outcome === 'ok');
    const before = recorded().length;
    await get(wellKnown());
    for (let tries = 0; tries < 1_000 && recorded().length === before; tries += 1) await sleep(25);
    // Records of one millisecond are in no order.
    for (const { server, user, effect, httpStatus } of recorded()) {
      assert.deepEqual([server, user?.id, effect, httpStatus], ['own', 'alice', 'allow', 200]);
    }
    assert.ok(recorded().length > 0);
  });
});

it('is written nowhere: no log, record or spool holds the agent’s credential, also when things go wrong', async () => {
  upstream.behave((request, response) => json(response, { error: `bad token: ${request.headers.authorization}` }, 401));
  assert.equal((await post(call('marked', { n: 1 }))).status, 401);
  assert.equal(rpcError(await post(call('safe'), {}, 'http://127.0.0.1:9/mcp'))?.code, 5020);
  await post(call('safe'), { authorization: `Bearer ${OWN_TOKEN} \u00ff\t`, dpop: `${PROOF}\u00ff` });
  await captured(own, { method: 'GET', headers: { authorization: `Bearer ${OWN_TOKEN}\u00ff` } });
  upstream.behave((_request, response) => void response.destroy());
  assert.equal(rpcError(await post(call('safe')))?.code, 5020);
  const isRecorded = () => gate.audit().find(({ target }) => target === 'marked');
  for (let tries = 0; tries < 1_000 && isRecorded() === undefined; tries += 1) await sleep(25);
  assert.equal(isRecorded()?.credential, 'agent');
  assert.equal(isRecorded()?.httpStatus, 401);
  const root = dirname(gate.bundleDir);
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(files.some(({ name }) => name === 'extauthz.log') && files.some(({ name }) => name === 'sidecar.log'));
  // The database is read last, since it is where the spool's records go.
  for (const { parentPath, name } of files.sort((a, b) => Number(a.name.startsWith('audit.db')) - Number(b.name.startsWith('audit.db')))) {
    const text = textOf(join(parentPath, name));
    for (const secret of [OWN_TOKEN, PROOF, alice]) assert.equal(text.includes(secret), false, `${name} holds a credential`);
  }
});

/** A spooled file goes away once its records are acknowledged; they are in the database then. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
