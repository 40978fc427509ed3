import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { answerStream } from '../../../extauthz/doors/answer-stream.ts';

/** A stream whose peer is the test. */
class FakeCall extends EventEmitter {
  readonly written: string[] = [];
  readonly statuses: unknown[] = [];
  paused = false;
  writableNeedDrain = false;

  constructor() {
    super();
    this.on('error', (error) => this.statuses.push(error));
  }
  pause() {
    this.paused = true;
  }
  resume() {
    this.paused = false;
  }
  write(message: string) {
    this.written.push(message);
    return !this.writableNeedDrain;
  }
  end() {
    this.statuses.push('OK');
  }
}

describe('a stream of questions and answers', () => {
  function setUp(maxOpen = 2) {
    const call = new FakeCall();
    const open = new Map<string, PromiseWithResolvers<string>>();
    const end = answerStream(call as unknown as ServerDuplexStream<string, string>, maxOpen, (question) => {
      const answer = Promise.withResolvers<string>();
      open.set(question, answer);
      return answer.promise;
    });
    const answer = async (question: string) => {
      open.get(question)?.resolve(`answer to ${question}`);
      await new Promise(setImmediate);
    };
    return { call, open, end, answer };
  }
  const STOPPING = { code: status.UNAVAILABLE, details: 'stopping' } as const;

  it('answers in any order', async () => {
    const { call, answer } = setUp();
    call.emit('data', 'a');
    call.emit('data', 'b');
    await answer('b');
    await answer('a');
    assert.deepEqual(call.written, ['answer to b', 'answer to a']);
  });

  it('stops reading while too many are open', async () => {
    const { call, answer } = setUp(2);
    call.emit('data', 'a');
    assert.equal(call.paused, false);
    call.emit('data', 'b');
    assert.equal(call.paused, true);
    await answer('a');
    assert.equal(call.paused, false);
  });

  it('stops reading while the peer does not take its answers', async () => {
    const { call, answer } = setUp();
    call.emit('data', 'a');
    call.writableNeedDrain = true;
    await answer('a');
    assert.equal(call.paused, true);
    call.writableNeedDrain = false;
    call.emit('drain');
    assert.equal(call.paused, false);
  });

  it('answers what is open before it ends', async () => {
    const { call, answer, end } = setUp();
    call.emit('data', 'a');
    end(STOPPING);
    assert.equal(call.paused, true);
    assert.deepEqual(call.statuses, []);
    await answer('a');
    assert.deepEqual(call.written, ['answer to a']);
    assert.deepEqual(call.statuses, [STOPPING]);
  });

  it('ends well when the peer is done', async () => {
    const { call, answer } = setUp();
    call.emit('data', 'a');
    call.emit('end');
    await answer('a');
    assert.deepEqual([call.written, call.statuses], [['answer to a'], ['OK']]);
  });

  it('ends with UNAVAILABLE when a question cannot be answered at all', async () => {
    const { call, open } = setUp();
    call.emit('data', 'a');
    open.get('a')?.reject(new Error('disk full'));
    await new Promise(setImmediate);
    assert.deepEqual(call.statuses, [{ code: status.UNAVAILABLE, details: 'the policy service cannot answer at the moment' }]);
  });

  it('writes nothing after the peer has gone', async () => {
    const { call, answer, end } = setUp();
    call.emit('data', 'a');
    call.emit('close');
    await answer('a');
    end(STOPPING);
    assert.deepEqual([call.written, call.statuses], [[], []]);
  });
});
