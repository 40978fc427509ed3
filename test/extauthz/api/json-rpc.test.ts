import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { JSONRPCMessageSchema } from '@modelcontextprotocol/core';
import fc from 'fast-check';
import { idJson, parseJsonRpc } from '../../../extauthz/api/json-rpc.ts';
import { type MessageFaultKind, rpcCodeOf } from '../../../extauthz/api/json-rpc-fault.ts';
import type { Span } from '../../../extauthz/api/json-structure.ts';
import { parseJsonValue } from '../../../extauthz/api/json-value.ts';
import { HTTP_METHODS } from '../../../extauthz/api/operation.ts';
import { bytesOf, type CaseBytes, readCases } from '../../cases/mcp/read-cases.ts';

interface Case extends CaseBytes {
  readonly name: string;
  readonly fault?: MessageFaultKind;
  readonly kind?: 'request' | 'notification' | 'response';
  readonly id?: string;
  readonly params?: string;
  readonly meta?: string;
  readonly traceparent?: string;
  readonly unsafe?: boolean;
}

const CASES = readCases<Case>('json-rpc.yaml');

/** Pinned here and not taken from the source: agents see them. */
const CODES: Readonly<Record<MessageFaultKind, number>> = {
  parse_error: -32700,
  batch: -32600,
  not_an_object: -32600,
  unknown_member: -32600,
  case_variant_key: -32600,
  invalid_version: -32600,
  invalid_method: -32600,
  missing_id: -32600,
  invalid_id: -32600,
  unexpected_id: -32600,
  invalid_params: -32600,
  invalid_meta: -32602,
  invalid_response: -32600,
};

describe('JSON-RPC cases', () => {
  for (const { name, fault, kind, id, params, meta, traceparent, unsafe = false, ...given } of CASES) {
    test(name, () => {
      const bytes = bytesOf(given);
      const textAt = (span: Span | undefined) => (span === undefined ? undefined : bytes.toString('utf8', span.start, span.end));
      const parsed = parseJsonRpc(bytes);
      if (fault !== undefined) {
        assert.ok(!parsed.ok, 'was taken');
        assert.equal(parsed.failure.kind, fault);
        assert.equal(textAt(parsed.failure.idSpan), id);
        assert.equal(idJson(bytes, parsed.failure.idSpan), id ?? 'null');
        return;
      }
      assert.ok(parsed.ok, JSON.stringify(parsed));
      const message = parsed.value;
      assert.equal(message.kind, kind);
      assert.equal(message.unsafeNumbers, unsafe);
      assert.equal(message.kind === 'notification' ? undefined : textAt(message.idSpan), id);
      if (message.kind !== 'notification') assert.equal(message.id, JSON.parse(bytes.toString()).id);
      if (message.kind === 'response') return;
      assert.equal(textAt(message.paramsSpan), params);
      assert.equal(textAt(message.metaSpan), meta);
      assert.equal(textAt(message.traceparentSpan), traceparent);
      assert.deepEqual(message.params, params === undefined ? undefined : parseJsonValue(params));
      assert.deepEqual(message.meta, meta === undefined ? undefined : parseJsonValue(meta));
    });
  }
});

test('every kind of fault has a case and a pinned code', () => {
  const kinds = Object.keys(CODES) as MessageFaultKind[];
  for (const kind of kinds) assert.equal(rpcCodeOf(kind), CODES[kind], kind);
  const covered = new Set(CASES.map(({ fault }) => fault));
  assert.deepEqual(
    kinds.filter((kind) => !covered.has(kind)),
    [],
  );
});

test('an agent cannot send a method that stands for other traffic', () => {
  for (const method of Object.values(HTTP_METHODS)) {
    assert.ok(!parseJsonRpc(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method }))).ok, method);
  }
});

test('the reader is stricter than the SDK: whatever it takes, the SDK takes', () => {
  for (const { name, fault, ...given } of CASES) {
    if (fault !== undefined || given.unsafe) continue;
    assert.ok(JSONRPCMessageSchema.safeParse(JSON.parse(bytesOf(given).toString())).success, name);
  }
});

const ID = fc.oneof(fc.string({ unit: 'grapheme' }), fc.maxSafeInteger());
const MEMBER_NAME = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '"', '\\', '{', ',', ':', ' '), minLength: 1 });
const PARAMS = fc.dictionary(MEMBER_NAME, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 6, noNullPrototype: true });
const WELL_FORMED = (text: string) => !/\\ud[89a-f]/i.test(text);

describe('properties', () => {
  test('a request is read as it was written, and its places hold what they say', () => {
    fc.assert(
      fc.property(ID, PARAMS, fc.option(PARAMS), fc.constantFrom(0, 1, 3), fc.nat(23), (id, params, meta, indent, order) => {
        const all: [string, unknown][] = [
          ['jsonrpc', '2.0'],
          ['id', id],
          ['method', 'acme/do'],
          ['params', meta === null ? params : { ...params, _meta: meta }],
        ];
        const members = Object.fromEntries(all.map((_member, index) => all[(index + order) % 4] as [string, unknown]));
        const text = JSON.stringify(members, null, indent);
        if (!WELL_FORMED(text)) return;
        const bytes = Buffer.from(text);
        const parsed = parseJsonRpc(bytes);
        assert.ok(parsed.ok, `${text} ${JSON.stringify(parsed)}`);
        assert.ok(parsed.value.kind === 'request');
        const { idSpan, paramsSpan, metaSpan } = parsed.value;
        const read = parseJsonValue(text) as { params: { _meta: unknown } };
        const valueAt = (span: Span | undefined) => span && parseJsonValue(bytes.toString('utf8', span.start, span.end));
        assert.equal(valueAt(idSpan), id);
        assert.deepEqual(valueAt(paramsSpan), read.params);
        assert.deepEqual(valueAt(metaSpan), meta === null ? undefined : read.params._meta);
        assert.deepEqual(parseJsonRpc(bytes), parsed);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a case variant of any protocol key, added anywhere it counts, is refused', () => {
    const fold: Record<string, string> = { s: 'ſ', k: '\u212a', i: '\u0131' };
    const variant = fc
      .tuple(
        fc.constantFrom('jsonrpc', 'id', 'method', 'params', 'name', 'arguments', 'uri', '_meta', 'task', 'cursor', 'ref'),
        fc.nat(),
        fc.boolean(),
      )
      .map(([key, seed, unicode]) => {
        const letters = [...key].map((letter, index) => ({ letter, index })).filter(({ letter }) => letter !== '_');
        const { letter, index } = letters[seed % letters.length] as { letter: string; index: number };
        const other = (unicode ? fold[letter] : undefined) ?? letter.toUpperCase();
        return { key, changed: key.slice(0, index) + other + key.slice(index + 1) };
      });
    const envelopeKeys = new Set(['jsonrpc', 'id', 'method', 'params']);
    fc.assert(
      fc.property(variant, fc.boolean(), ({ key, changed }, first) => {
        const params = { name: 'n', arguments: { Name: 1, name: 2 } };
        const envelope = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
        const put = (object: object) => (first ? { [changed]: 'x', ...object } : { ...object, [changed]: 'x' });
        const message = envelopeKeys.has(key) ? put(envelope) : { ...envelope, params: put(params) };
        assert.ok(parseJsonRpc(Buffer.from(JSON.stringify(envelope))).ok);
        const parsed = parseJsonRpc(Buffer.from(JSON.stringify(message)));
        assert.ok(!parsed.ok);
        assert.equal(parsed.failure.kind, 'case_variant_key');
      }),
    );
  });
});
