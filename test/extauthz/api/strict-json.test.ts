import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import fc from 'fast-check';
import type { JsonFault } from '../../../extauthz/api/json-fault.ts';
import { parseStrictJson } from '../../../extauthz/api/strict-json.ts';
import { bytesOf, type CaseBytes, readCases } from '../../cases/mcp/read-cases.ts';

interface Case extends CaseBytes {
  readonly name: string;
  readonly fault?: readonly [kind: JsonFault['kind'], offset: number];
  readonly unsafe?: boolean;
  readonly takenWithLoneSurrogates?: boolean;
}

const CASES = readCases<Case>('strict-json.yaml');

describe('strict JSON cases', () => {
  for (const { name, fault, unsafe = false, takenWithLoneSurrogates = false, ...given } of CASES) {
    test(name, () => {
      const bytes = bytesOf(given);
      const parsed = parseStrictJson(bytes);
      if (fault === undefined) {
        assert.ok(parsed.ok, JSON.stringify(parsed));
        assert.deepEqual(parsed.value.value, JSON.parse(bytes.toString()));
        assert.equal(parsed.value.unsafeNumbers, unsafe);
      } else {
        assert.ok(!parsed.ok);
        assert.deepEqual([parsed.failure.kind, parsed.failure.offset], fault);
      }
      assert.equal(parseStrictJson(bytes, { loneSurrogates: true }).ok, fault === undefined || takenWithLoneSurrogates);
    });
  }
});

test('every kind of fault has a case', () => {
  const kinds = new Set(CASES.map(({ fault }) => fault?.[0]));
  const all: JsonFault['kind'][] = ['invalid_utf8', 'byte_order_mark', 'syntax', 'duplicate_key', 'lone_surrogate', 'too_deep'];
  assert.deepEqual(
    all.filter((kind) => !kinds.has(kind)),
    [],
  );
});

test('__proto__ is data and never a prototype', () => {
  const parsed = parseStrictJson(Buffer.from('{"__proto__":{"admin":true},"a":{"__proto__":null},"constructor":1}'));
  assert.ok(parsed.ok);
  const value = parsed.value.value as Record<string, unknown>;
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(Object.keys(value), ['__proto__', 'a', 'constructor']);
  assert.equal(value['admin'], undefined);
  assert.equal(({} as Record<string, unknown>)['admin'], undefined);
});

test('nothing is read while objects inherit members, since a doubled key could go unnoticed', () => {
  Object.defineProperty(Object.prototype, 'polluted', { value: 1, enumerable: true, configurable: true });
  try {
    assert.throws(() => parseStrictJson(Buffer.from('{"a":1,"a":2}')), /Object\.prototype/);
  } finally {
    Reflect.deleteProperty(Object.prototype, 'polluted');
  }
});

test('the depth limit can be set', () => {
  assert.ok(parseStrictJson(bytesOf({ nesting: 3 }), { maxDepth: 3 }).ok);
  const parsed = parseStrictJson(bytesOf({ nesting: 4 }), { maxDepth: 3 });
  assert.ok(!parsed.ok);
  assert.deepEqual(parsed.failure, { kind: 'too_deep', offset: 3, detail: 'nested deeper than 3' });
});

describe('the node limit', () => {
  const hostile: readonly [name: string, text: string][] = [
    ['empty arrays', `[${'[],'.repeat(1_400_000)}[]]`],
    ['empty objects', `[${'{},'.repeat(1_400_000)}{}]`],
    ['nested arrays', `[${'[[[[[[[[[]]]]]]]]],'.repeat(200_000)}[]]`],
    ['members', `{${Array.from({ length: 300_000 }, (_, index) => `"k${index}":1`).join(',')}}`],
    ['arrays between strings full of brackets', `[${'"[{:\\"",[],'.repeat(300_000)}[]]`],
  ];
  for (const [name, text] of hostile) {
    test(`refuses ${name} before any is built`, () => {
      const bytes = Buffer.from(text);
      const parse = mock.method(JSON, 'parse');
      try {
        const parsed = parseStrictJson(bytes);
        assert.ok(!parsed.ok);
        assert.equal(parsed.failure.kind, 'too_many_nodes');
        assert.equal(parse.mock.callCount(), 0);
        assert.ok(parsed.failure.offset < bytes.length);
      } finally {
        parse.mock.restore();
      }
    });
  }

  test('counts exactly, and can be set', () => {
    const read = (text: string) => {
      const parsed = parseStrictJson(Buffer.from(text), { maxNodes: 4 });
      return parsed.ok ? 'taken' : [parsed.failure.kind, parsed.failure.offset, parsed.failure.detail];
    };
    assert.equal(read('[[],[],[]]'), 'taken');
    assert.equal(read('{"a":{"b":1}}'), 'taken');
    assert.deepEqual(read('[[],[],[],[]]'), ['too_many_nodes', 10, 'more than 4 objects, arrays and members']);
    assert.deepEqual(read('{"a":{"b":{}}}'), ['too_many_nodes', 10, 'more than 4 objects, arrays and members']);
    assert.equal(read('["[[[[[[[[::::{{{{", 1, 2, 3, 4, 5, 6, "\\"[[[[[\\\\"]'), 'taken');
  });

  test('takes long arrays of plain values, and long strings', () => {
    assert.ok(parseStrictJson(Buffer.from(`[${'0.25,'.repeat(800_000)}1]`)).ok);
    assert.ok(parseStrictJson(Buffer.from(JSON.stringify({ text: '[{:,"'.repeat(600_000) }))).ok);
  });
});

test('a view into a larger buffer is read by itself', () => {
  const parsed = parseStrictJson(new Uint8Array(Buffer.from('xx{"a":1}yy')).subarray(2, 9));
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.value, { a: 1 });
});

test('what is refused never shows in the detail', () => {
  for (const given of CASES) {
    const parsed = parseStrictJson(Buffer.concat([Buffer.from('{"s3cret-key":"s3cret-token","x":'), bytesOf(given)]));
    assert.ok(!parsed.ok);
    assert.ok(!parsed.failure.detail.includes('s3cret'));
  }
});

describe('properties', () => {
  test('any bytes: accepted only if JSON.parse accepts them, with the same value', () => {
    const jsonish = fc.array(fc.constantFrom(...'{}[]:,"\\ue10-.E \n', 'true', 'null', '"a"', '"a":', '\\u00', 'é'), { maxLength: 30 });
    fc.assert(
      fc.property(
        fc.oneof(
          jsonish.map((parts) => Buffer.from(parts.join(''))),
          fc.uint8Array({ maxLength: 30 }).map(Buffer.from),
        ),
        (bytes) => {
          const parsed = parseStrictJson(bytes);
          let native: { value: unknown } | undefined;
          try {
            native = { value: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) };
          } catch {
            native = undefined;
          }
          if (parsed.ok) assert.deepEqual(parsed.value.value, native?.value);
          else if (native !== undefined) assert.ok(['duplicate_key', 'lone_surrogate', 'too_deep'].includes(parsed.failure.kind));
          else assert.ok(['syntax', 'invalid_utf8', 'byte_order_mark', 'duplicate_key', 'lone_surrogate'].includes(parsed.failure.kind));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test('what JSON.stringify writes is accepted, and read back the same', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        const parsed = parseStrictJson(Buffer.from(text));
        if (/\\ud[89a-f]/i.test(text)) return;
        assert.ok(parsed.ok);
        assert.deepEqual(parsed.value.value, JSON.parse(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a key repeated anywhere is refused, however it is spelled', () => {
    const escaped = (key: string) =>
      [
        ...Buffer.from(key, 'utf16le')
          .toString('hex')
          .matchAll(/(..)(..)/g),
      ]
        .map(([, low, high]) => `\\u${high}${low}`)
        .join('');
    fc.assert(
      fc.property(
        fc.array(fc.string(), { maxLength: 30 }),
        fc.string(),
        fc.nat(),
        fc.boolean(),
        fc.nat(5),
        (others, key, seed, spellOut, depth) => {
          const members = [...new Set(others.filter((other) => other !== key))].map((other) => `${JSON.stringify(other)}:${seed}`);
          const again = spellOut ? `"${escaped(key)}":1` : `${JSON.stringify(key)}:1`;
          members.splice(seed % (members.length + 1), 0, `${JSON.stringify(key)}:0`);
          const without = `${'[{"x":'.repeat(depth)}{${members.join(',')}}${'}]'.repeat(depth)}`;
          members.splice((seed >> 8) % (members.length + 1), 0, again);
          const doubled = `${'[{"x":'.repeat(depth)}{${members.join(',')}}${'}]'.repeat(depth)}`;
          assert.ok(parseStrictJson(Buffer.from(without)).ok);
          const parsed = parseStrictJson(Buffer.from(doubled));
          assert.ok(!parsed.ok);
          assert.equal(parsed.failure.kind, 'duplicate_key');
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('long strings hide nothing: what comes after them is still seen, what is in them is not', () => {
    const run = fc.tuple(
      fc.constantFrom('x', 'é', '"', '\\', '\n', '{', ':', ',', '😀', '12345678901234567890123'),
      fc.constantFrom(1, 2, 255, 256, 257, 4_095, 4_352, 9_000),
    );
    const long = fc.array(run, { maxLength: 4 }).map((runs) => runs.map(([unit, count]) => unit.repeat(count)).join(''));
    fc.assert(
      fc.property(fc.array(long, { minLength: 1, maxLength: 3 }), fc.boolean(), (strings, doubled) => {
        const members = strings.map((string, index) => `"k${index}":${JSON.stringify(string)}`);
        const parsed = parseStrictJson(Buffer.from(`{${members.join(',')},"n":1${doubled ? ',"n":2' : ''},"deep":[[]]}`));
        assert.equal(parsed.ok, !doubled);
        if (parsed.ok) assert.equal(parsed.value.unsafeNumbers, false);
        assert.ok(!parseStrictJson(Buffer.from(`{${members.join(',')},"deep":[[]]}`), { maxDepth: 2 }).ok);
        const last = parseStrictJson(Buffer.from(`[${JSON.stringify(strings[0])},9007199254740993]`));
        assert.ok(last.ok && last.value.unsafeNumbers);
      }),
      { numRuns: 300 },
    );
  });

  test('a number is unsafe exactly when a double cannot hold its decimal value or it is out of range', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 25 });
    const literal = fc
      .tuple(fc.boolean(), digits, fc.option(digits), fc.option(fc.integer({ min: -30, max: 30 })))
      .map(([negative, whole, fraction, exponent]) => {
        const integer = whole.replace(/^0+(?=.)/, '');
        return `${negative ? '-' : ''}${integer}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : `e${exponent}`}`;
      });
    fc.assert(
      fc.property(literal, (text) => {
        const parsed = parseStrictJson(Buffer.from(`[${text}]`));
        assert.ok(parsed.ok);
        assert.equal(parsed.value.unsafeNumbers, isUnsafe(text), text);
      }),
      { numRuns: 5_000 },
    );
  });
});

/** By exact arithmetic: the literal and the shortest decimal of its double, both as integers times the same power of ten. */
function isUnsafe(literal: string): boolean {
  const value = Number(literal);
  if (Math.abs(value) > 2 ** 53 - 1) return true;
  const scaled = (text: string): bigint => {
    const [, sign, whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(text) ?? [];
    return BigInt(`${sign}${whole}${fraction}`) * 10n ** BigInt(100 + Number(exponent) - fraction.length);
  };
  return scaled(literal) !== scaled(String(value));
}
