import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningChild, startChild } from '../../examples/quick-start/child-process.ts';
import { choosePorts, type Ports } from '../../examples/quick-start/ports.ts';
import { everything } from '../../examples/quick-start/processes.ts';
import { claimStateDirectory } from '../../examples/quick-start/state-directory.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { type Answer, MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { EVERYTHING } from './sdk/everything-steps.ts';
import { POLICIES } from './sdk/policies.ts';
import { RESTRICTED_EVERYTHING } from './sdk/restricted-steps.ts';
import { type Step, transcribe } from './sdk/transcript.ts';
import { connectV1 } from './sdk/v1-client.ts';
import { connectV2, MODERN } from './sdk/v2-client.ts';
import { MODERN_SERVER, nodeServer, STDIO_COMMANDS, STDIO_FILES } from './stdio/stdio-bundle.ts';

let gate: Gate;
const tokens = new Map<string, string>();

before(async () => {
  gate = await startGate({
    servers: {},
    policies: POLICIES,
    files: STDIO_FILES,
    sidecarEnv: {
      SIDEGATE_STDIO_COMMANDS: STDIO_COMMANDS,
      SIDEGATE_STDIO_MAX_PROCESSES: '6',
      SIDEGATE_STDIO_MAX_LINE_BYTES: '65536',
      SIDEGATE_STDIO_IDLE_MS: '2000',
      SIDEGATE_UPSTREAM_TIMEOUT_MS: '3000',
      TZ: 'UTC',
    },
  });
  for (const user of ['alice', 'bob', 'carol']) tokens.set(user, await gate.token(user));
});

after(() => gate.stop());

interface Post {
  readonly user?: string;
  readonly session?: string;
  readonly modern?: boolean;
  readonly method?: string;
}

/** A POST, in the era asked for, with nothing that an SDK would add. */
function post(server: string, message: Record<string, unknown>, { user = 'alice', session, modern = false }: Post = {}): Promise<Answer> {
  const { name } = (message['params'] ?? {}) as { name?: string };
  const body = modern
    ? {
        ...message,
        params: {
          ...(message['params'] as object),
          _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} },
        },
      }
    : message;
  return send(gate.port, {
    path: `/${server}/mcp`,
    headers: {
      ...MCP_HEADERS,
      authorization: `Bearer ${tokens.get(user)}`,
      ...(session !== undefined && { 'mcp-session-id': session }),
      ...(modern && {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': String(message['method']),
        ...(name !== undefined && { 'mcp-name': name }),
      }),
    },
    body: JSON.stringify(body),
  });
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
};

async function open(server: string, user = 'alice'): Promise<string> {
  const answer = await post(server, INITIALIZE, { user });
  assert.equal(answer.status, 200, answer.text);
  const session = answer.headers['mcp-session-id'];
  assert.equal(typeof session, 'string', answer.text);
  return session as string;
}

function tool(name: string, args: Record<string, unknown> = {}, id: number | string = 1): Record<string, unknown> {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } };
}

/** The text of a tool's answer, JSON or event stream. */
function textOf({ text }: Answer): string {
  const json = text.startsWith('{') ? text : (/^data: (.*"result".*)$/m.exec(text)?.[1] ?? '{}');
  return JSON.parse(json).result?.content?.[0]?.text ?? `no result: ${text}`;
}

async function end(server: string, session: string, user = 'alice'): Promise<number> {
  const headers = { authorization: `Bearer ${tokens.get(user)}`, 'mcp-session-id': session };
  return (await send(gate.port, { method: 'DELETE', path: `/${server}/mcp`, headers })).status;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function untilGone(pid: number, withinMs = 5_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; isAlive(pid); await sleep(20)) assert.ok(Date.now() < deadline, `process ${pid} still runs`);
}

const sidecarLog = () => readFileSync(join(dirname(gate.bundleDir), 'sidecar.log'), 'utf8');

describe('the reference server as a program, against itself over HTTP', () => {
  let ports: Ports;
  let directory: string;
  let reference: RunningChild;
  before(async () => {
    ports = await choosePorts('auto');
    directory = mkdtempSync(join(tmpdir(), 'sidegate-stdio-'));
    reference = await startChild(everything(ports, claimStateDirectory(directory, 'http://issuer.example')));
  });
  after(async () => {
    await reference.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** What the reference server itself does differently over stdio: it knows no session ids, and has another environment. */
  const DIFFERS = /get-env|logging|resources\/subscribe|after the end of the session/;
  const clients = [
    ['SDK v1', connectV1],
    ['SDK v2, legacy', (url: string, token: string | undefined) => connectV2(url, token, 'legacy')],
    ['SDK v2, choosing the era itself', (url: string, token: string | undefined) => connectV2(url, token, 'auto')],
  ] as const;
  for (const [title, connect] of clients) {
    it(`answers ${title} the same`, async () => {
      const steps = EVERYTHING.filter(({ name }) => !DIFFERS.test(name));
      assert.ok(steps.length > 35);
      const direct = await transcribe(() => connect(`http://127.0.0.1:${ports.everything}/mcp`, undefined), steps);
      const governed = await transcribe(() => connect(gate.url('everything'), tokens.get('alice')), steps);
      for (const { name } of steps) assert.deepEqual(governed.get(name), direct.get(name), name);
    });
  }

  it('hides and refuses what policy hides', async () => {
    const steps: readonly Step<Awaited<ReturnType<typeof connectV1>>>[] = RESTRICTED_EVERYTHING;
    const direct = await transcribe(() => connectV1(`http://127.0.0.1:${ports.everything}/mcp`, undefined), steps);
    const governed = await transcribe(() => connectV1(gate.url('everything'), tokens.get('bob')), steps);
    for (const { name, denied, governed: rewritten } of steps) {
      const [was, is] = [direct.get(name), governed.get(name)];
      assert.ok(was !== undefined && is !== undefined);
      if (denied !== undefined) assert.equal('error' in is && is.error.code, 4030, name);
      else if (rewritten !== undefined && 'value' in was) assert.deepEqual(is, { value: rewritten(was.value) }, name);
      else assert.deepEqual(is, was, name);
    }
  });

  it('sends resource updates on the GET stream', async () => {
    const client = await connectV1(gate.url('everything'), tokens.get('alice'));
    await client.wire.openStream();
    const uri = 'demo://resource/dynamic/text/1';
    await client.subscribeResource(uri);
    await client.callTool('toggle-subscriber-updates');
    assert.deepEqual((await client.inbox.next('notifications/resources/updated')).params, { uri });
    await client.terminateSession();
    await client.close();
  });
});

describe('a modern server', () => {
  const connect = (user: string) => connectV2(gate.url('modern'), tokens.get(user), MODERN);
  const pidOf = async (client: Awaited<ReturnType<typeof connect>>) =>
    Number(((await client.callTool('pid')) as { content: { text: string }[] }).content[0]?.text);

  it('is discovered in its own era, and lists only what the user may call', async () => {
    const [alice, bob] = [await connectV2(gate.url('modern'), tokens.get('alice'), 'auto'), await connect('bob')];
    assert.equal(alice.sdk.getNegotiatedProtocolVersion(), '2026-07-28');
    const names = async (client: typeof alice) =>
      ((await client.listTools()) as { tools: { name: string }[] }).tools.map(({ name }) => name);
    assert.ok((await names(alice)).includes('vault'));
    assert.ok(!(await names(bob)).includes('vault'));
    await assert.rejects(bob.callTool('vault'), { code: 4030 });
    await alice.close();
    await bob.close();
  });

  it('runs once for each user, and never for two', async () => {
    const [first, second, bob] = [await connect('alice'), await connect('alice'), await connect('bob')];
    const pids = [await pidOf(first), await pidOf(second), await pidOf(bob)];
    assert.equal(pids[0], pids[1]);
    assert.notEqual(pids[0], pids[2]);
    for (const client of [first, second, bob]) await client.close();
  });

  it('keeps apart callers that use the same ids and progress tokens at once', async () => {
    const clients = await Promise.all([connect('alice'), connect('alice'), connect('alice')]);
    const heard = clients.map((): unknown[] => []);
    const answers = await Promise.all(
      clients.map((client, index) =>
        client.callTool(
          'steps',
          { name: `caller ${index}`, steps: 5 },
          { onProgress: (progress) => heard[index]?.push((progress as { message: string }).message) },
        ),
      ),
    );
    answers.forEach((answer, index) => {
      assert.equal((answer as { content: { text: string }[] }).content[0]?.text, `caller ${index}`);
      assert.deepEqual(heard[index], Array(5).fill(`caller ${index}`));
    });
    for (const client of clients) await client.close();
  });

  it('answers with the id exactly as it was sent', async () => {
    for (const id of ['12345678901234567890123', '"a\\u0062\\n"', '-0', '"1"']) {
      const body = `{"jsonrpc":"2.0","params":{"name":"echo","arguments":{"message":"x"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}},\n"method":"tools/call",\r\n"id":${id}}`;
      const headers = {
        ...MCP_HEADERS,
        authorization: `Bearer ${tokens.get('alice')}`,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'echo',
      };
      const answer = await send(gate.port, { path: '/modern/mcp', headers, body });
      assert.ok(answer.text.includes(`"id":${id}`), answer.text);
      assert.equal(textOf(answer), 'x');
    }
  });

  it('is told when a caller goes away', async () => {
    const client = await connect('alice');
    const abort = new AbortController();
    const waiting = Promise.withResolvers<void>();
    const call = client.callTool('wait', { key: 'gone' }, { signal: abort.signal, onProgress: () => waiting.resolve() });
    await waiting.promise;
    abort.abort();
    await assert.rejects(call);
    for (let tries = 0; ; tries += 1) {
      const { content } = (await client.callTool('cancelled')) as { content: { text: string }[] };
      if (content[0]?.text.includes('gone')) break;
      assert.ok(tries < 100, 'the server was never told');
      await sleep(20);
    }
    await client.close();
  });

  it('announces changes to those who listen, under the id they know', async () => {
    const client = await connect('alice');
    const changed = Promise.withResolvers<void>();
    client.sdk.setNotificationHandler('notifications/tools/list_changed', () => changed.resolve());
    const subscription = await client.sdk.listen({ toolsListChanged: true });
    await client.callTool('change');
    await changed.promise;
    await subscription.close();
    await client.close();
  });

  it('answers an unknown method as HTTP does', async () => {
    const answer = await post('modern', { jsonrpc: '2.0', id: 1, method: 'acme/unknown', params: {} }, { modern: true });
    assert.deepEqual([answer.status, rpcError(answer)?.code], [404, -32601]);
  });

  it('that crashes fails the open call with a reason, and starts again for the next', async () => {
    const answer = await post('modern', tool('crash'), { modern: true, user: 'carol' });
    assert.equal(rpcError(answer)?.code, 4030, 'carol may do nothing');
    const open = await Promise.all([
      post('modern', tool('crash', {}, 'c'), { modern: true }),
      post('modern', tool('wait', { key: 'w' }, 'w'), { modern: true }),
    ]);
    for (const failed of open) {
      assert.equal(rpcError(failed)?.code, 5020, failed.text);
      assert.equal(rpcError(failed)?.message, 'the server modern exited with code 3 before it answered');
    }
    assert.equal(JSON.parse(open[1]?.text ?? '').id, 'w');
    assert.equal(textOf(await post('modern', tool('echo', { message: 'back' }), { modern: true })), 'back');
    assert.ok(gate.audit().some(({ outcome, target }) => outcome === 'upstream_error' && target === 'crash'));
  });
});

describe('legacy sessions', () => {
  it('have a process each, which ends with them', async () => {
    const [one, two] = [await open('raw'), await open('raw')];
    const pid = async (session: string) => JSON.parse(textOf(await post('raw', tool('pid'), { session }))).pid as number;
    const [first, second] = [await pid(one), await pid(two)];
    assert.notEqual(first, second);
    assert.equal(await end('raw', one), 200);
    await untilGone(first);
    assert.ok(isAlive(second));
    assert.equal((await post('raw', tool('pid'), { session: one })).status, 404);
    await end('raw', two);
  });

  it('are their user’s alone', async () => {
    const session = await open('raw', 'alice');
    for (const answer of [await post('raw', tool('pid'), { session, user: 'bob' }), await post('everything', tool('echo'), { session })]) {
      assert.equal(answer.status, 404);
    }
    assert.equal(await end('raw', session, 'bob'), 404);
    assert.equal((await post('raw', tool('pid'), { session })).status, 200);
    await end('raw', session);
  });

  it('end when their process does, and an open call is told why', async () => {
    const session = await open('raw');
    const silent = post('raw', tool('silent', {}, 2), { session });
    await post('raw', tool('pid'), { session });
    for (const answer of [await post('raw', tool('crash'), { session }), await silent])
      assert.equal(rpcError(answer)?.message, 'the server raw exited with code 3 before it answered');
    assert.equal((await post('raw', tool('pid'), { session })).status, 404);
    assert.ok(sidecarLog().includes('"stderr":"about to crash"'));
    const next = await open('raw');
    assert.equal((await post('raw', tool('pid'), { session: next })).status, 200);
    await end('raw', next);
  });

  it('need an id, and are not initialized twice', async () => {
    assert.equal((await post('raw', tool('pid'))).status, 400);
    const session = await open('raw');
    assert.equal((await post('raw', INITIALIZE, { session })).status, 400);
    await end('raw', session);
  });

  it('end when nobody uses them', async () => {
    const session = await open('raw');
    const { pid } = JSON.parse(textOf(await post('raw', tool('pid'), { session })));
    await untilGone(pid, 8_000);
    assert.equal((await post('raw', tool('pid'), { session })).status, 404);
  });

  it('end by force when a process ignores everything else', async () => {
    const session = await open('raw');
    const { pid } = JSON.parse(textOf(await post('raw', tool('pid'), { session })));
    assert.equal(textOf(await post('raw', tool('stubborn'), { session })), 'I stay');
    await end('raw', session);
    await untilGone(pid);
  });
});

describe('hostile output', () => {
  let session: string;
  before(async () => (session = await open('raw')));
  after(() => end('raw', session));

  it('lines that are no messages, and answers that nobody asked for, are passed over', async () => {
    assert.equal(textOf(await post('raw', tool('garbage', {}, 1_000_000), { session })), 'after garbage');
  });

  it('a line beyond the limit fails the call it can only belong to', async () => {
    const answer = await post('raw', tool('huge'), { session });
    assert.deepEqual([rpcError(answer)?.code, rpcError(answer)?.message], [5020, 'the server raw wrote a line of more than 65536 bytes']);
    assert.equal(JSON.parse(textOf(await post('raw', tool('pid', { after: 'huge' }), { session }))).args.after, 'huge');
  });

  it('the second answer to a call goes nowhere', async () => {
    assert.equal(textOf(await post('raw', tool('twice'), { session })), 'first');
    assert.equal(JSON.parse(textOf(await post('raw', tool('pid'), { session }))).pid > 0, true);
  });

  it('an answer that two parsers would read differently is withheld', async () => {
    const answer = await post('raw', tool('doubled-key'), { session });
    assert.equal(rpcError(answer)?.message, 'the server raw gave an answer that cannot be read');
    assert.ok(!answer.text.includes('hidden'));
  });

  it('a carriage return between tokens breaks no event', async () => {
    const answer = await send(gate.port, {
      path: '/raw/mcp',
      headers: { ...MCP_HEADERS, accept: 'text/event-stream', authorization: `Bearer ${tokens.get('alice')}`, 'mcp-session-id': session },
      body: JSON.stringify(tool('carriage-return')),
    });
    assert.equal(textOf(answer), 'a\rb');
  });

  it('a call without an answer ends in time', async () => {
    assert.equal(rpcError(await post('raw', tool('silent'), { session }))?.message, 'the server raw did not answer in time');
  });
});

describe('what a program gets, and which may run', () => {
  it('arguments and variables as they are written, and nothing of the sidecar’s own', async () => {
    const session = await open('raw');
    const { env, args, cwd } = JSON.parse(textOf(await post('raw', tool('env'), { session })));
    assert.deepEqual(args, ['; touch /tmp/sidegate-injected', '$(id)', '`id`', 'a b']);
    assert.deepEqual(env, { GREETING: '$(id) "x"', TZ: 'UTC' });
    assert.equal(cwd, '/');
    assert.ok(!existsSync('/tmp/sidegate-injected'));
    await end('raw', session);
  });

  it('a command that the pod’s operator did not allow is not started', async () => {
    for (const answer of [await post('other', INITIALIZE), await post('other', tool('x'), { modern: true })]) {
      assert.equal(answer.status, 200);
      assert.equal(rpcError(answer)?.code, 5020);
      assert.equal(
        rpcError(answer)?.message,
        'the server other is a command that the operator of this pod has not allowed the sidecar to start',
      );
    }
    assert.ok(sidecarLog().includes('SIDEGATE_STDIO_COMMANDS does not allow this command'));
  });

  it('a command that does not exist is reported', async () => {
    assert.equal(rpcError(await post('absent', INITIALIZE))?.message, 'the server absent could not be started (ENOENT) before it answered');
  });

  it('a program that keeps ending is not started over and over', async () => {
    const messages: (string | undefined)[] = [];
    while (messages.length < 12 && !messages.at(-1)?.includes('keeps ending'))
      messages.push(rpcError(await post('dying', INITIALIZE))?.message);
    assert.equal(messages[0], 'the server dying exited with code 7 before it answered');
    assert.match(messages.at(-1) ?? '', /^the server dying keeps ending soon after its start; it is started again in \d+ s$/);
    assert.ok(messages.length >= 4);
  });

  it('no more processes run than allowed; an unused modern one makes room', async () => {
    await post('modern', tool('echo', { message: 'x' }), { modern: true });
    const sessions: string[] = [];
    let refusal: string | undefined;
    while (refusal === undefined && sessions.length < 10) {
      const answer = await post('raw', INITIALIZE);
      const session = answer.headers['mcp-session-id'];
      if (typeof session === 'string') sessions.push(session);
      else refusal = rpcError(answer)?.message;
    }
    assert.equal(refusal, 'the server raw cannot be started: 6 processes run already');
    assert.equal(sessions.length, 6);
    for (const session of sessions) await end('raw', session);
  });

  it('a registration that changes or goes takes the process with it', async () => {
    const session = await open('raw');
    const { pid } = JSON.parse(textOf(await post('raw', tool('pid'), { session })));
    gate.writeBundleFile('servers/raw.yaml', nodeServer('raw', [MODERN_SERVER]));
    await untilGone(pid);
    assert.equal((await post('raw', tool('pid'), { session })).status, 404);
    const next = await post('raw', INITIALIZE);
    assert.equal(JSON.parse(next.text).result.serverInfo.name, 'modern-stdio');
  });

  it('every process ends with the sidecar', async () => {
    const session = await open('everything');
    const answer = await post('modern', tool('pid'), { modern: true });
    await gate.sidecar.stop();
    await untilGone(Number(textOf(answer)));
    const started = [...sidecarLog().matchAll(/"pid":(\d+),"command"/g)].map(([, pid]) => Number(pid));
    assert.ok(started.length > 10 && session !== '');
    for (const pid of started) await untilGone(pid);
  });
});
