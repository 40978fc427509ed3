import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { EventStreamReader, type StreamPart } from '../../../sidecar/mcp/sse.ts';
import { withData, withoutIgnored } from '../../../sidecar/mcp/sse-fields.ts';
import { bytesOf, type CaseBytes, readCases } from '../../cases/mcp/read-cases.ts';

interface Case extends CaseBytes {
  readonly name: string;
  readonly parts?: readonly string[];
  readonly partsHex?: readonly string[];
  readonly events: readonly (readonly [data: string, type?: string | null, id?: string])[];
}

type Event = readonly [data: string, type: string | null, id: string | null];

const CASES = readCases<Case>('event-stream.yaml');

function readAll(chunks: readonly Uint8Array[]): { parts: StreamPart[]; dropped: number } {
  const reader = new EventStreamReader();
  const parts: StreamPart[] = [];
  for (const chunk of chunks) {
    const pushed = reader.push(chunk);
    assert.equal(pushed.fault, undefined);
    parts.push(...pushed.parts);
  }
  return { parts, dropped: reader.end() };
}

function eventsOf(parts: readonly StreamPart[]): Event[] {
  return parts.flatMap(({ data, event, id }) => (data === undefined ? [] : [[Buffer.from(data).toString(), event ?? null, id ?? null]]));
}

const joined = (parts: readonly StreamPart[]) => Buffer.concat(parts.map(({ raw }) => raw));

describe('event stream cases', () => {
  for (const { name, parts, partsHex, events, ...given } of CASES) {
    test(name, () => {
      const bytes = bytesOf(given);
      const want = parts?.map((part) => Buffer.from(part)) ?? partsHex?.map((hex) => bytesOf({ hex })) ?? [];
      const whole = readAll([bytes]);
      assert.deepEqual(
        whole.parts.map(({ raw }) => Buffer.from(raw)),
        want,
      );
      const wantEvents = events.map(([data, type, id]) => [data, type ?? null, id ?? null]);
      assert.deepEqual(eventsOf(whole.parts), wantEvents);
      assert.equal(whole.dropped, bytes.length - joined(whole.parts).length);
      const cutAt = (...cuts: number[]) => [0, ...cuts].map((cut, index) => bytes.subarray(cut, [...cuts, bytes.length][index]));
      for (let first = 0; first <= bytes.length; first += 1) {
        for (let second = first; second <= bytes.length; second += 1) {
          const cut = readAll(cutAt(first, second));
          assert.deepEqual(eventsOf(cut.parts), wantEvents);
          assert.ok(joined(cut.parts).equals(joined(whole.parts)), `cut at ${first} and ${second}`);
          assert.equal(cut.dropped, whole.dropped);
        }
      }
      const single = readAll([...bytes].map((byte) => Buffer.of(byte)));
      assert.deepEqual(eventsOf(single.parts), wantEvents);
    });
  }
});

test('an event goes out with the byte that completes it', () => {
  for (const end of ['\n\n', '\r\n\r\n', '\r\r']) {
    const reader = new EventStreamReader();
    const text = `data: a${end}`;
    const emittedAt = [...text].findIndex((byte) => reader.push(Buffer.from(byte)).parts.length > 0);
    assert.equal(emittedAt, end === '\r\n\r\n' ? text.length - 2 : text.length - 1);
  }
});

describe('the limit on an event', () => {
  const event = 'data: 0123456789\n\n';

  test('an event of that size passes, however often', () => {
    const reader = new EventStreamReader(event.length);
    assert.equal(reader.push(Buffer.from(event.repeat(50))).parts.length, 50);
    assert.equal(reader.push(Buffer.from(event)).fault, undefined);
  });

  test('a larger one is a fault, after the events before it', () => {
    const reader = new EventStreamReader(event.length - 1);
    const pushed = reader.push(Buffer.from(`data: a\n\n${event}data: b\n\n`));
    assert.equal(pushed.fault, 'event_too_large');
    assert.deepEqual(eventsOf(pushed.parts), [['a', null, null]]);
    assert.deepEqual(reader.push(Buffer.from('data: c\n\n')), { parts: [], fault: 'event_too_large' });
  });

  test('one that never ends is a fault as soon as the limit is passed', () => {
    const reader = new EventStreamReader(1_000);
    let pushes = 0;
    while (reader.push(Buffer.from('data: 01\n')).fault === undefined) pushes += 1;
    assert.equal(pushes, Math.floor(1_000 / 9));
  });

  test('many small chunks are as good as one', () => {
    const reader = new EventStreamReader();
    const parts: StreamPart[] = [];
    const startedAt = performance.now();
    for (let at = 0; at < 300_000; at += 1) parts.push(...reader.push(Buffer.from('data: x\n'.charAt(at % 8))).parts);
    parts.push(...reader.push(Buffer.from('\n')).parts);
    assert.equal(parts.length, 1);
    assert.equal(parts[0]?.raw.length, 300_001);
    assert.ok(performance.now() - startedAt < 3_000);
  });
});

describe('an event with other data', () => {
  const rewritten = (text: string, data: string) => {
    const [part] = readAll([Buffer.from(text)]).parts;
    assert.ok(part !== undefined);
    return Buffer.from(withData(part, Buffer.from(data))).toString();
  };
  const cases: readonly (readonly [name: string, text: string, data: string, want: string])[] = [
    [
      'keeps its other fields in place, and of what clients ignore an empty comment',
      'id: 1\nevent: message\n: c\ndata: old\nretry: 5\nx: y\n\n',
      'new',
      'id: 1\nevent: message\n:\ndata: new\nretry: 5\n:\n\n',
    ],
    ['keeps its line ends', 'id: 1\r\ndata:old\r\n\r\n', 'new', 'id: 1\r\ndata: new\r\n\r\n'],
    ['keeps carriage returns', 'data: old\rid: 1\r\r', 'new', 'data: new\rid: 1\r\r'],
    ['takes the place of several lines', 'data: {\nid: 1\ndata: "a":1\ndata: }\n\n', '{}', 'data: {}\nid: 1\n:\n:\n\n'],
    ['is spread over lines where it has them', 'data: x\nid: 1\n\n', '{\n"a":1\r\n}', 'data: {\ndata: "a":1\ndata: }\nid: 1\n\n'],
    ['keeps a byte order mark', '\uFEFFdata: x\n\n', 'y', '\uFEFFdata: y\n\n'],
    ['may begin with a blank', 'data: x\n\n', ' y', 'data:  y\n\n'],
  ];
  for (const [name, text, data, want] of cases) test(name, () => assert.equal(rewritten(text, data), want));

  test('cannot be made of one that has none', () => assert.throws(() => rewritten('id: 1\n\n', 'x'), RangeError));
});

describe('properties', () => {
  const stream = fc
    .array(
      fc.constantFrom(
        'data:',
        'data: ',
        'id: 1',
        'event: m',
        'retry: 9',
        ': c',
        'x',
        'é',
        ' ',
        '{"a":1}',
        '\n',
        '\n',
        '\r',
        '\r\n',
        '\n\n',
        '\uFEFF',
      ),
      {
        maxLength: 60,
      },
    )
    .map((tokens) => Buffer.from(tokens.join('')));
  const cuts = fc.array(fc.nat(200), { maxLength: 8 });

  function chunksOf(bytes: Buffer, at: readonly number[]): Buffer[] {
    const sorted = [0, ...at.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
    return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
  }

  test('any cut of any stream: the same events, the same bytes, nothing unfinished', () => {
    fc.assert(
      fc.property(stream, cuts, (bytes, at) => {
        const whole = readAll([bytes]);
        const cut = readAll(chunksOf(bytes, at));
        assert.deepEqual(eventsOf(cut.parts), eventsOf(whole.parts));
        assert.ok(joined(cut.parts).equals(bytes.subarray(0, bytes.length - cut.dropped)));
        const rest = bytes
          .subarray(bytes.length - whole.dropped)
          .toString()
          .replaceAll(/\r\n?/g, '\n');
        assert.ok(!rest.includes('\n\n'), 'a whole event was kept back');
      }),
      { numRuns: 3_000 },
    );
  });

  test('the events are those that a client of the SDK sees', () => {
    fc.assert(
      fc.property(stream, (bytes) => {
        const seen: Event[] = [];
        const parser = createParser({ onEvent: ({ data, event, id }) => seen.push([data, event || null, id ?? null]) });
        // It waits at a CR for an LF; a comment shows it that there is none.
        const settled = Buffer.concat([bytes, Buffer.from(':\n')]);
        // As the SDK feeds it: the decoder takes off the byte order mark.
        parser.feed(new TextDecoder().decode(settled));
        const ours = eventsOf(readAll([settled]).parts).map(([data, event, id]) => [data, event || null, id]);
        assert.deepEqual(ours, seen);
      }),
      { numRuns: 3_000 },
    );
  });

  test('lines of any length end where they end', () => {
    const run = fc
      .tuple(fc.constantFrom('x', 'é', ':'), fc.constantFrom(1, 200, 250, 251, 4_346, 4_347, 9_000))
      .map(([unit, count]) => unit.repeat(count));
    const lines = fc.array(fc.tuple(fc.array(run, { maxLength: 2 }), fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 4 });
    fc.assert(
      fc.property(lines, fc.array(fc.nat(30_000), { maxLength: 4 }), (given, at) => {
        const bytes = Buffer.from(`${given.map(([runs, end]) => `data: ${runs.join('')}${end}`).join('')}\n\n`);
        const want = given.length === 0 ? [] : [[given.map(([runs]) => runs.join('')).join('\n'), null, null]];
        assert.deepEqual(eventsOf(readAll([bytes]).parts), want);
        assert.deepEqual(eventsOf(readAll(chunksOf(bytes, at)).parts), want);
      }),
      { numRuns: 500 },
    );
  });

  test('an event with other data is one event with that data and nothing else changed', () => {
    const line = fc.string({ unit: fc.constantFrom('a', '{', '"', ' ', ':', 'é'), maxLength: 6 });
    fc.assert(
      fc.property(stream, fc.array(line, { minLength: 1, maxLength: 3 }), (bytes, lines) => {
        // A part is read as a stream of its own here, where a byte order mark would count.
        fc.pre(!bytes.includes('\uFEFF'));
        for (const part of readAll([bytes]).parts) {
          if (part.data === undefined) continue;
          const data = Buffer.from(lines.join('\n'));
          const again = readAll([withData(part, data)]);
          assert.equal(again.dropped, 0);
          const [event] = again.parts.filter((candidate) => candidate.data !== undefined);
          assert.deepEqual(eventsOf(again.parts), [[data.toString(), part.event ?? null, part.id ?? null]]);
          const others = ({ raw, fields }: StreamPart) =>
            fields
              .filter(({ name }) => name !== 'data' && name !== 'ignored')
              .map((field) => Buffer.from(raw.subarray(field.line.start, field.line.end)).toString());
          assert.deepEqual(event && others(event), others(part));
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('a stream without what clients ignore is the same to a client, and has nothing else on its lines', () => {
    fc.assert(
      fc.property(stream, (bytes) => {
        const read = (text: string) => {
          const seen: unknown[] = [];
          const parser = createParser({ onEvent: (event) => void seen.push(event), onRetry: (ms) => void seen.push(ms) });
          // It waits for what follows a CR.
          parser.feed(`${text}\n`);
          return seen;
        };
        const { parts } = readAll([bytes]);
        const left = Buffer.concat(parts.map((part) => withoutIgnored(part))).toString();
        assert.deepEqual(read(left), read(joined(parts).toString()));
        const lines = left.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
        for (const line of lines) assert.match(line, /^(?:|:|(?:data|id|event)(?::.*)?|retry: ?[0-9]+)$/su);
      }),
      { numRuns: 3_000 },
    );
  });
});
