import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger } from '../../../runtime/logger.ts';
import { upstreamFailed } from '../../../sidecar/denial.ts';
import type { Era } from '../../../sidecar/mcp/protocol-version.ts';
import { type AnswerHandler, AnswerWithheld } from '../../../sidecar/relay.ts';
import { AnswerStream, acceptedBy } from '../../../sidecar/stdio/answer-stream.ts';
import { Conversation } from '../../../sidecar/stdio/conversation.ts';
import { readLine } from '../../../sidecar/stdio/line-message.ts';

/** What a caller got: a head, text, and how it ended. */
class Caller implements AnswerHandler {
  status = 0;
  text = '';
  ended = '';
  readonly answer: AnswerStream;

  constructor(accept = 'application/json, text/event-stream') {
    this.answer = new AnswerStream(this, acceptedBy(accept));
  }

  onRequestStart(): void {}

  onResponseStart(_controller: unknown, status: number): void {
    this.status = status;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.text += chunk;
  }

  onResponseEnd(): void {
    this.ended = 'end';
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.ended = error instanceof AnswerWithheld ? error.refusal.reason : error.message;
  }

  get events(): string[] {
    return this.text
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => line.slice('data: '.length));
  }
}

function talk(era: Era) {
  const sent: string[] = [];
  const flow: string[] = [];
  const peer = {
    inputBacklogBytes: 0,
    write: (message: Uint8Array) => void sent.push(Buffer.from(message).toString()),
    pauseOutput: () => void flow.push('pause'),
    resumeOutput: () => void flow.push('resume'),
  };
  const conversation = new Conversation(peer, {
    server: 's',
    era,
    maxLineBytes: 1_000,
    answerTimeoutMs: 60_000,
    logger: createLogger('test', 'silent'),
  });
  const message = (text: string) => {
    const read = readLine(Buffer.from(text));
    assert.ok(read.ok, text);
    return read.value;
  };
  const ask = (text: string, caller = new Caller()) => {
    conversation.request(message(text), caller.answer);
    return caller;
  };
  return { conversation, peer, sent, flow, message, ask, says: (text: string) => conversation.take(Buffer.from(text)) };
}

const META = '"io.modelcontextprotocol/subscriptionId"';

describe('a modern conversation', () => {
  it('numbers requests anew and answers under the id that was sent', () => {
    const { ask, says, sent } = talk('modern');
    const callers = ['1', '1', '"1"', '123456789012345678901', '"\\u0061"'].map((id) => ask(`{"jsonrpc":"2.0","method":"x","id":${id}}`));
    assert.deepEqual(
      sent,
      [1, 2, 3, 4, 5].map((number) => `{"jsonrpc":"2.0","method":"x","id":${number}}`),
    );
    for (const number of [5, 4, 3, 2, 1]) says(`{"result":{"n":${number}},"id":${number},"jsonrpc":"2.0"}`);
    assert.deepEqual(
      callers.map(({ text }) => text),
      [
        '{"result":{"n":1},"id":1,"jsonrpc":"2.0"}',
        '{"result":{"n":2},"id":1,"jsonrpc":"2.0"}',
        '{"result":{"n":3},"id":"1","jsonrpc":"2.0"}',
        '{"result":{"n":4},"id":123456789012345678901,"jsonrpc":"2.0"}',
        '{"result":{"n":5},"id":"\\u0061","jsonrpc":"2.0"}',
      ],
    );
  });

  it('takes no answer under an id that was never given out', () => {
    const { ask, says } = talk('modern');
    const caller = ask('{"jsonrpc":"2.0","method":"x","id":"a"}');
    for (const id of ['"a"', '"1"', '2', '1.5', 'true']) says(`{"jsonrpc":"2.0","id":${id},"result":{}}`);
    assert.equal(caller.ended, '');
    says('{"jsonrpc":"2.0","id":1,"result":{}}');
    says('{"jsonrpc":"2.0","id":1,"result":{"late":true}}');
    assert.deepEqual([caller.text, caller.ended], ['{"jsonrpc":"2.0","id":"a","result":{}}', 'end']);
  });

  it('brings progress to its call, under the caller’s own token', () => {
    const { ask, says, sent } = talk('modern');
    const callers = ['0', '"0"'].map((token) => ask(`{"jsonrpc":"2.0","method":"x","id":1,"params":{"_meta":{"progressToken":${token}}}}`));
    assert.match(sent[1] ?? '', /"id":2,.*"progressToken":2/);
    says('{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":2,"progress":1}}');
    assert.deepEqual(callers[0]?.events, []);
    assert.deepEqual(callers[1]?.events, [
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"0","progress":1}}',
    ]);
  });

  it('brings what belongs to a subscription to who opened it, under its id', () => {
    const { ask, says } = talk('modern');
    const [one, two] = ['"a"', '"a"'].map((id) => ask(`{"jsonrpc":"2.0","method":"subscriptions/listen","id":${id}}`));
    says(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{${META}:2}}}`);
    assert.deepEqual(one?.events, []);
    assert.deepEqual(two?.events, [`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{${META}:"a"}}}`]);
    says(`{"jsonrpc":"2.0","id":2,"result":{"_meta":{${META}:2}}}`);
    assert.equal(two?.events[1], `{"jsonrpc":"2.0","id":"a","result":{"_meta":{${META}:"a"}}}`);
    says('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}');
    assert.equal(one?.ended, 'end');
  });

  it('drops notifications that belong to nobody, and refuses requests', () => {
    const { ask, says, sent } = talk('modern');
    const caller = ask('{"jsonrpc":"2.0","method":"x","id":1}');
    says('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}');
    says('{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d"}}');
    says('{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}');
    assert.deepEqual([caller.status, caller.text], [0, '']);
    assert.match(sent[1] ?? '', /^\{"jsonrpc":"2.0","id":"q","error":\{"code":-32601,/);
  });

  it('gives log messages to the call that asked for them', () => {
    const { ask, says } = talk('modern');
    ask('{"jsonrpc":"2.0","method":"x","id":1}');
    const caller = ask('{"jsonrpc":"2.0","method":"x","id":2,"params":{"_meta":{"io.modelcontextprotocol/logLevel":"info"}}}');
    says('{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d"}}');
    assert.equal(caller.events.length, 1);
  });

  it('tells the server that a caller has gone', () => {
    const { ask, sent } = talk('modern');
    const caller = ask('{"jsonrpc":"2.0","method":"x","id":"a"}');
    caller.answer.abort(new Error('gone'));
    assert.equal(sent[1], '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"the caller is gone"}}');
    assert.equal(caller.ended, 'gone');
  });

  it('pairs errors with the status that Streamable HTTP has for them', () => {
    for (const [code, status] of [
      [-32601, 404],
      [-32022, 400],
      [-32021, 400],
      [-32602, 200],
      [7, 200],
    ]) {
      const { ask, says } = talk('modern');
      const caller = ask('{"jsonrpc":"2.0","method":"x","id":1}');
      says(`{"jsonrpc":"2.0","id":1,"error":{"code":${code},"message":"m"}}`);
      assert.equal(caller.status, status);
    }
  });
});

describe('a legacy conversation', () => {
  it('brings a request of the server to the only open call, else to the stream, else keeps it for the stream', () => {
    const { conversation, ask, says } = talk('legacy');
    const ping = (id: number) => `{"jsonrpc":"2.0","id":${id},"method":"ping"}`;
    says(ping(1));
    const only = ask('{"jsonrpc":"2.0","method":"tools/call","id":1}');
    says(ping(2));
    const stream = new Caller();
    conversation.openStream(stream.answer);
    ask('{"jsonrpc":"2.0","method":"tools/call","id":2}');
    says(ping(3));
    assert.deepEqual(only.events, [ping(2)]);
    assert.deepEqual(stream.events, [ping(1), ping(3)]);
  });

  it('says nothing before the answer to initialize, whose head names the session', () => {
    const { ask, says } = talk('legacy');
    const caller = ask('{"jsonrpc":"2.0","method":"initialize","id":1}');
    says('{"jsonrpc":"2.0","method":"notifications/message","params":{}}');
    assert.equal(caller.status, 0);
  });

  it('forwards a cancellation under the server’s number, and drops one for a call that is over', () => {
    const { conversation, message, ask, says, sent } = talk('legacy');
    ask('{"jsonrpc":"2.0","method":"a","id":7}');
    ask('{"jsonrpc":"2.0","method":"b","id":1}');
    const cancel = (id: number) => `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`;
    conversation.forward(message(cancel(7)));
    assert.equal(sent[2], cancel(1));
    says('{"jsonrpc":"2.0","id":2,"result":{}}');
    conversation.forward(message(cancel(1)));
    assert.equal(sent.length, 3);
    conversation.end(upstreamFailed('upstream_unreachable', 'over'));
  });

  it('answers in JSON where the caller takes no event stream, and keeps what cannot be said before', () => {
    const { conversation, ask, says } = talk('legacy');
    const caller = ask('{"jsonrpc":"2.0","method":"x","id":1}', new Caller('application/json'));
    says('{"jsonrpc":"2.0","method":"notifications/message","params":{}}');
    says('{"jsonrpc":"2.0","id":1,"result":{}}');
    assert.equal(caller.text, '{"jsonrpc":"2.0","id":1,"result":{}}');
    const stream = new Caller();
    conversation.openStream(stream.answer);
    assert.equal(stream.events.length, 1);
  });

  it('reads no more while a caller does not read, and goes on when it does', () => {
    const { ask, says, flow } = talk('legacy');
    const caller = ask('{"jsonrpc":"2.0","method":"x","id":1}');
    caller.answer.pause();
    const note = `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"${'x'.repeat(300_000)}"}}`;
    for (let count = 0; count < 4; count += 1) says(note);
    assert.deepEqual(flow, ['pause']);
    caller.answer.resume();
    assert.deepEqual(flow, ['pause', 'resume']);
    assert.equal(caller.events.length, 4);
  });

  it('fails what is open when the server is gone', () => {
    const { conversation, ask } = talk('legacy');
    const caller = ask('{"jsonrpc":"2.0","method":"x","id":1}');
    const stream = new Caller();
    conversation.openStream(stream.answer);
    conversation.end(upstreamFailed('upstream_unreachable', 'it exited'));
    assert.deepEqual([caller.ended, stream.ended, conversation.isBusy], ['it exited', 'end', false]);
  });

  it('sends nothing to a server that does not read', () => {
    const { peer, ask, sent } = talk('legacy');
    peer.inputBacklogBytes = 2_000;
    assert.equal(ask('{"jsonrpc":"2.0","method":"x","id":1}').ended, 'the server s does not read what it is sent');
    assert.deepEqual(sent, []);
  });
});
