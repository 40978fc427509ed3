import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { EventSink } from '../../../sidecar/federation/event-sink.ts';

/** As much of a response as a sink needs. */
function responseOf(stream: PassThrough): ServerResponse {
  return Object.assign(stream, { writeHead: () => stream, flushHeaders: () => {}, headersSent: true }) as unknown as ServerResponse;
}

const textOf = (stream: PassThrough) => String(stream.read() ?? '');

describe('a stream of events', () => {
  it('tells a change once that several tell at the same time', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const stream = new PassThrough();
    const sink = new EventSink(responseOf(stream));
    for (const event of ['data: a\n\n', 'data: b\n\n', 'data: a\n\n']) sink.soon(event);
    assert.equal(textOf(stream), '');
    t.mock.timers.tick(1_000);
    assert.equal(textOf(stream), 'data: a\n\ndata: b\n\n');
    sink.soon('data: a\n\n');
    t.mock.timers.tick(1_000);
    assert.equal(textOf(stream), 'data: a\n\n');
  });

  it('puts a message on one line, with its id', async () => {
    const stream = new PassThrough();
    const sink = new EventSink(responseOf(stream));
    await sink.message(Buffer.from('{\r\n"a":\n"\\n"}'), { id: 's.1', retry: '5' });
    assert.equal(textOf(stream), 'id: s.1\nretry: 5\nevent: message\ndata: {  "a": "\\n"}\n\n');
    await sink.pulse();
    assert.equal(textOf(stream), ':\n\n');
    await sink.pulse({ id: 's.2' });
    assert.equal(textOf(stream), 'id: s.2\ndata: \n\n');
  });

  it('waits for a reader that is slow, and not for one that is gone', async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const sink = new EventSink(responseOf(stream));
    let isTaken = false;
    const writing = sink.message(Buffer.from('{}')).then(() => {
      isTaken = true;
    });
    await new Promise(setImmediate);
    assert.equal(isTaken, false);
    stream.destroy();
    await writing;
    await sink.message(Buffer.from('{}'));
  });
});
