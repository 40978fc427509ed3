import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { filterList, type ListRead, readList } from '../../../sidecar/mcp/list-filter.ts';
import { ListMemo } from '../../../sidecar/mcp/list-memo.ts';

const ASKED = 'tools/list';
const MAX_WEIGHT = 8 * 1_048_576;

interface Place {
  /** Where the id stands: before the result or after it. */
  readonly idLast?: boolean;
  readonly more?: string;
}

const answer = (id: string, names: readonly string[], { idLast = false, more = '' }: Place = {}) => {
  const result = `"result":{"id":7,"tools":[${names.map((name) => `{"id":${id},"name":${JSON.stringify(name)}}`).join(', ')}]${more}}`;
  return Buffer.from(idLast ? `{"jsonrpc":"2.0",${result} , "id": ${id}}` : `{"jsonrpc":"2.0","id":${id} , ${result}}`);
};

function readBy(memo: ListMemo, message: Uint8Array, idJson: string): ListRead {
  const read = memo.read(message, ASKED, idJson);
  assert.ok(read.ok, JSON.stringify(read));
  return read.value;
}

/** Whether the message was not read again: what was built the first time is there again. */
function isKnown(memo: ListMemo, first: ListRead, message: Uint8Array, idJson: string): boolean {
  const read = memo.read(message, ASKED, idJson);
  return read.ok && read.value.result === first.result;
}

describe('a list memo', () => {
  it('comes to what reading comes to, under any id and wherever it stands', () => {
    const name = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('1', '"', '"id":1', '}', '__proto__', 'id'));
    const names = fc.uniqueArray(name, { maxLength: 6 });
    const id = fc.oneof(
      fc.nat().map(String),
      fc.maxSafeInteger().map(String),
      fc.string({ unit: 'grapheme-ascii' }).map((text) => JSON.stringify(text)),
      fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
      fc.constantFrom('1', '"1"', '-0', '1.0', '1e2', '"\\u0061"', '"\\ud800"', '"id"', '""', 'null', '7'),
    );
    const more = fc.constantFrom(
      '',
      ',"ttlMs":9',
      ',"_meta":{"id":1}',
      ',"__proto__":{"id":1}',
      ',"nextCursor":"1"',
      ',"task":{"taskId":"t"}',
    );
    fc.assert(
      fc.property(names, fc.array(id, { minLength: 2, maxLength: 5 }), fc.boolean(), more, (tools, ids, idLast, result) => {
        const memo = new ListMemo();
        for (const idJson of ids) {
          const message = answer(idJson, tools, { idLast, more: result });
          const [read, wanted] = [memo.read(message, ASKED, idJson), readList(message, ASKED)];
          assert.deepEqual(read, wanted);
          if (!read.ok || !wanted.ok) continue;
          const visible = [tools.map((_tool, index) => index % 2 === 0)].map((list) => list.slice(0, read.value.lists[0]?.names.length));
          const options = { era: 'modern', maxTtlMs: 5 } as const;
          assert.deepEqual(filterList(read.value, visible, options), filterList(wanted.value, visible, options));
        }
      }),
      { numRuns: 300 },
    );
  });

  for (const idLast of [false, true]) {
    it(`knows a message under another id, of another length, ${idLast ? 'after' : 'before'} its list`, () => {
      const memo = new ListMemo();
      const of = (id: string) =>
        Buffer.from(
          answer('1', ['a'], { idLast })
            .toString()
            .replace(/("id": ?)1(?= ,|}$)/, `$1${id}`),
        );
      const first = readBy(memo, of('1'), '1');
      for (const id of ['2', '10', '"a long name"', '""', '123456789012345']) {
        assert.ok(isKnown(memo, first, of(id), id), id);
        assert.deepEqual(memo.read(of(id), ASKED, id), readList(of(id), ASKED));
      }
    });
  }

  const KNOWN = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":"b"}],"nextCursor":"1"}}';
  const OTHERS: readonly (readonly [what: string, text: string, idJson?: string])[] = [
    ['another item of the same length', KNOWN.replace('"b"', '"c"')],
    ['one more item', KNOWN.replace('"b"}', '"b"},{"name":"c"}')],
    ['another item’s place', KNOWN.replace('"a"', '"b"').replace('"b"}]', '"a"}]')],
    ['other whitespace', KNOWN.replace(',"result"', ' ,"result"')],
    ['something after it', `${KNOWN} `],
    ['something before it', ` ${KNOWN}`],
    ['another id than was asked with', KNOWN.replace('"id":1', '"id":2')],
    ['its id in another type', KNOWN.replace('"id":1', '"id":"1"')],
    ['an id that runs on', KNOWN.replace('"id":1', '"id":11')],
    ['an id that brings members with it', KNOWN.replace('"id":1', '"id":1,"method":"x"'), '1,"method":"x"'],
    ['an id that brings another result with it', KNOWN.replace('"id":1', '"id":1,"result":{}'), '1,"result":{}'],
    ['an id that is an object', KNOWN.replace('"id":1', '"id":{"a":[1,2]}'), '{"a":[1,2]}'],
    ['an id that closes the message', KNOWN.replace('"id":1', '"id":1}{"id":1'), '1}{"id":1'],
    ['an id that ends in the middle of a text', KNOWN.replace('"id":1', '"id":"a","x":"b"'), '"a","x":"b"'],
    ['an id that is not as it is written', KNOWN.replace('"id":1', '"id":"\\u0061"'), '"\\u0061"'],
    ['an id that parsers read differently', KNOWN.replace('"id":1', '"id":9007199254740993'), '9007199254740993'],
    ['an id of half a character', KNOWN.replace('"id":1', '"id":"\\ud800"'), '"\\ud800"'],
    ['an id with a line in it', KNOWN.replace('"id":1', '"id":"a\nb"'), '"a\nb"'],
    ['an id of no number', KNOWN.replace('"id":1', '"id":01'), '01'],
    ['no id', KNOWN.replace('"id":1,', '')],
    ['its id twice', KNOWN.replace('"id":1', '"id":1,"id":1')],
    ['its list twice', KNOWN.replace(',"nextCursor":"1"', ',"tools":["cursor"]')],
  ];
  for (const [what, text, idJson = '1'] of OTHERS) {
    it(`reads a message with ${what} for itself`, () => {
      const memo = new ListMemo();
      const first = readBy(memo, Buffer.from(KNOWN), '1');
      assert.ok(isKnown(memo, first, Buffer.from(KNOWN), '1'));
      const message = Buffer.from(text);
      assert.notDeepEqual(message, Buffer.from(KNOWN));
      assert.ok(!isKnown(memo, first, message, idJson));
      assert.deepEqual(memo.read(message, ASKED, idJson), readList(message, ASKED));
    });
  }

  it('tells the same bytes apart by what was asked', () => {
    const memo = new ListMemo();
    const message = answer('1', ['a']);
    const first = readBy(memo, message, '1');
    for (const asked of ['prompts/list', undefined]) {
      const read = memo.read(message, asked, '1');
      assert.ok(!read.ok || read.value.result !== first.result);
      assert.deepEqual(read, readList(message, asked));
    }
    const refused = memo.read(message, 'prompts/list', '1');
    assert.equal(!refused.ok && refused.failure.kind, 'not_a_list');
  });

  it('remembers nothing but lists, and nothing that could not be read', () => {
    const memo = new ListMemo();
    for (const text of ['{"id":1,"result":{"content":[]}}', '{"id":1,"error":{}}', '{"id":1,"method":"x"}', '{}', '[]', '{"id":1', '']) {
      memo.read(Buffer.from(text), undefined, '1');
      memo.read(Buffer.from(text), ASKED, '1');
    }
    memo.read(Buffer.from(KNOWN.replace('"result"', '"Result":1,"result"')), ASKED, '1');
    memo.read(Buffer.from(KNOWN), ASKED, undefined);
    memo.read(Buffer.from(KNOWN), ASKED, '2');
    assert.equal(memo.weight, 0);
  });

  it('keeps a copy: memory that is used again changes nothing', () => {
    const memo = new ListMemo();
    const message = Buffer.from(KNOWN);
    const first = readBy(memo, message, '1');
    message.write('c', KNOWN.indexOf('"b"') + 1);
    assert.ok(!isKnown(memo, first, message, '1'));
    assert.ok(isKnown(memo, first, Buffer.from(KNOWN), '1'));
  });

  it('forgets what was used longest ago', () => {
    const memo = new ListMemo();
    const lists = Array.from({ length: 33 }, (_, index) => answer('1', [`t${index}`]));
    const [first, second, ...others] = lists.map((message, index) => {
      if (index === 32) memo.read(lists[0] as Buffer, ASKED, '1');
      return readBy(memo, message, '1');
    });
    assert.ok(first && second);
    assert.ok(isKnown(memo, first, lists[0] as Buffer, '1'));
    assert.ok(others.every((read, index) => isKnown(memo, read, lists[index + 2] as Buffer, '1')));
    assert.ok(!isKnown(memo, second, lists[1] as Buffer, '1'));
  });

  /** What takes many times its length in memory, and what takes about its length. */
  const HOSTILE: readonly (readonly [what: string, list: (turn: number) => string])[] = [
    ['members that no other object has', (turn) => Array.from({ length: 3_000 }, (_, at) => `{"k${turn}-${at}":1}`).join(',')],
    ['empty arrays', (turn) => `${turn},${Array(20_000).fill('[]').join(',')}`],
    ['long texts', (turn) => `"${String(turn).padEnd(300_000, 'x')}"`],
    ['names', (turn) => Array.from({ length: 3_000 }, (_, at) => `{"name":"t${turn}-${at}"}`).join(',')],
  ];
  for (const [what, list] of HOSTILE) {
    it(`takes no more than 8 MB for ever new lists of ${what}`, () => {
      const memo = new ListMemo();
      const of = (turn: number) => Buffer.from(`{"id":1,"result":{"tools":[${list(turn)}]}}`);
      let heaviest = 0;
      let last: ListRead | undefined;
      for (let turn = 0; turn < 16; turn += 1) {
        last = readBy(memo, of(turn), '1');
        assert.ok(memo.weight >= of(turn).length);
        assert.ok(memo.weight <= MAX_WEIGHT, String(memo.weight));
        heaviest = Math.max(heaviest, memo.weight);
      }
      assert.ok(last !== undefined && isKnown(memo, last, of(15), '1'));
      assert.ok(heaviest > MAX_WEIGHT / 2);
    });
  }

  it('does not remember a list that would push out all others', () => {
    const memo = new ListMemo();
    const small = readBy(memo, Buffer.from(KNOWN), '1');
    const { weight } = memo;
    memo.read(answer('1', ['x'.repeat(1_048_576)]), ASKED, '1');
    memo.read(Buffer.from(`{"id":1,"result":{"tools":[${Array(200_000).fill('[]').join(',')}]}}`), ASKED, '1');
    assert.equal(memo.weight, weight);
    assert.ok(isKnown(memo, small, Buffer.from(KNOWN), '1'));
  });
});
