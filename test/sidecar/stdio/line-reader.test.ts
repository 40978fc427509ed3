import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LineReader, onOneLine } from '../../../sidecar/stdio/line-reader.ts';

function read(text: string, cuts: readonly number[], maxLineBytes = 1_000): { lines: string[]; oversized: number } {
  const reader = new LineReader(maxLineBytes);
  const bytes = Buffer.from(text);
  const lines: string[] = [];
  let oversized = 0;
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  ends.forEach((end, index) => {
    const pushed = reader.push(bytes.subarray(ends[index - 1] ?? 0, end));
    lines.push(...pushed.lines.map(String));
    oversized += pushed.oversized;
  });
  return { lines, oversized };
}

describe('lines of a stdio server', () => {
  it('are cut at LF wherever the chunks end; CR before LF goes, empty lines and an unfinished one are none', () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), (cuts) => {
        assert.deepEqual(read('{"a":1}\r\n\n{"b":"ä\\n"}\n\r\nrest', cuts), { lines: ['{"a":1}', '{"b":"ä\\n"}'], oversized: 0 });
      }),
    );
  });

  it('are passed over beyond the limit, and the next one is read again', () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), (cuts) => {
        assert.deepEqual(read(`${'x'.repeat(10)}\n${'y'.repeat(11)}\nz\n`, cuts, 10), { lines: ['x'.repeat(10), 'z'], oversized: 1 });
      }),
    );
  });

  it('hold a message whole: line ends between tokens become spaces', () => {
    assert.equal(onOneLine(Buffer.from('{\r\n"a":"\\n",\n"b":1}')).toString(), '{  "a":"\\n", "b":1}');
  });
});
