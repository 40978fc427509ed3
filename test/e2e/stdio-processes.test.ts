import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { MCP_HEADERS, rpcError, send } from '../support/mcp-request.ts';
import { MODERN_SERVER, nodeServer } from './stdio/stdio-bundle.ts';
import { end, gate, INITIALIZE, isAlive, open, post, sidecarLog, textOf, tokens, tool, untilGone } from './stdio/stdio-gate.ts';

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
    await untilGone(pid, 30_000);
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
