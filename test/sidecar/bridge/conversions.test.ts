import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Changes, JsonText } from '../../../sidecar/bridge/json-text.ts';
import { declaresMethod, initializeResult, legacyResponse, negotiatedVersion } from '../../../sidecar/bridge/legacy-answer.ts';
import { legacyRequest } from '../../../sidecar/bridge/legacy-request.ts';
import { wantsLogMessage } from '../../../sidecar/bridge/log-level.ts';
import { isSameId, type Message, readMessage } from '../../../sidecar/bridge/message.ts';
import { discoverResult, inputRequest, modernResponse, onSubscription } from '../../../sidecar/bridge/modern-answer.ts';
import { modernRequest } from '../../../sidecar/bridge/modern-request.ts';
import { paramFields, paramHeadersOf } from '../../../sidecar/mcp/param-headers.ts';
import { readCases } from '../../cases/mcp/read-cases.ts';

const casesOf = <Case extends { readonly name: string }>(file: string) => readCases<Case>(`../bridge/${file}`);

function message(text: string): Message {
  const read = readMessage(Buffer.from(text));
  assert.ok(read.ok, text);
  return read.value;
}

describe('a JSON text that is changed in places', () => {
  for (const { name, text, changes, becomes } of casesOf<{ name: string; text: string; changes: Changes; becomes: string }>(
    'json-text.yaml',
  )) {
    it(name, () => {
      const read = JsonText.read(Buffer.from(text));
      assert.ok(read.ok);
      const changed = Buffer.from(read.value.with(changes)).toString();
      assert.equal(changed, becomes);
      assert.ok(JsonText.read(Buffer.from(changed)).ok);
    });
  }

  it('finds members by their names, escapes or not, and nothing in what is no object', () => {
    const read = JsonText.read(Buffer.from('{"a":{"b\\u0062":{"c": 1.50}},"d":[{"e":1}]}'));
    assert.ok(read.ok);
    assert.equal(read.value.written('a', 'bb', 'c'), '1.50');
    assert.equal(read.value.written('a', 'toString'), undefined);
    assert.equal(read.value.at('a', 'toString'), undefined);
    assert.equal(read.value.written('d', '0'), undefined);
  });

  for (const text of ['[]', '1', '{"a":1,"a":2}', '{', '{"a":\ufeff1}']) {
    it(`is refused when it is not one that everybody reads alike: ${text}`, () => assert.ok(!JsonText.read(Buffer.from(text)).ok));
  }
});

const CONVERSIONS: Record<string, (of: Message, method: string) => Uint8Array | string> = {
  modernRequest: (of) =>
    modernRequest(
      of,
      of.idJson ?? '',
      { clientInfo: '{"name":"agent"}', capabilities: '{"roots":{}}', logLevel: undefined },
      { inputResponses: undefined, requestState: undefined },
    ),
  legacyRequest: (of) => legacyRequest(of, 5),
  modernResponse: (of, method) => modernResponse(of, '"a"', method),
  legacyResponse: (of) => legacyResponse(of, '"a"'),
  initializeResult: (of) => initializeResult(of.json, '2025-03-26', 'registered'),
  discoverResult: (of) => discoverResult(of.json, 'registered'),
  onSubscription: (of) => onSubscription(of, '"a"'),
  inputRequest: (of) => inputRequest(of),
};

describe('a message that goes to the other era', () => {
  for (const each of casesOf<{ name: string; convert: string; message: string; becomes: unknown }>('conversions.yaml')) {
    it(each.name, () => {
      const [convert = '', method = ''] = each.convert.split(' ');
      const converted = CONVERSIONS[convert]?.(message(each.message), method) ?? '';
      assert.deepEqual(JSON.parse(Buffer.from(converted).toString()), each.becomes);
    });
  }

  it('keeps numbers that this program could not', () => {
    const arguments_ = '"arguments":{"n":12345678901234567890123,"m":1.10}';
    const legacy = legacyRequest(message(`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{${arguments_},"_meta":{}}}`), 1);
    assert.ok(Buffer.from(legacy).includes(arguments_));
  });
});

describe('the fields that repeat arguments', () => {
  for (const each of casesOf<{ name: string; schema: unknown; arguments: unknown; fields: unknown }>('param-headers.yaml')) {
    it(each.name, () => assert.deepEqual(paramFields(paramHeadersOf(each.schema), each.arguments), each.fields));
  }
});

describe('what a message must be to be read', () => {
  for (const text of [
    '{"id":1,"method":"x"}',
    '{"jsonrpc":"2.0","id":{},"method":"x"}',
    '{"jsonrpc":"2.0","id":1,"method":"x","result":{}}',
    '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
    '{"jsonrpc":"2.0","id":1,"result":[]}',
    '{"jsonrpc":"2.0","result":{}}',
    '{"jsonrpc":"2.0","id":1}',
  ]) {
    it(`is more than ${text}`, () => assert.ok(!readMessage(Buffer.from(text)).ok));
  }

  it('compares ids by value', () => {
    assert.ok(isSameId('"\\u0061"', '"a"'));
    assert.ok(!isSameId('"1"', '1'));
    assert.ok(!isSameId('12345678901234567890123', '12345678901234567890124'));
  });
});

describe('what a client is', () => {
  for (const [capabilities, method, params, declared] of [
    [{ elicitation: {} }, 'elicitation/create', {}, true],
    [{ elicitation: {} }, 'elicitation/create', { mode: 'url' }, false],
    [{ elicitation: { url: {} } }, 'elicitation/create', { mode: 'url' }, true],
    [{ elicitation: { url: {} } }, 'elicitation/create', { mode: 'form' }, false],
    [{ elicitation: { form: {} } }, 'elicitation/create', {}, true],
    [{ sampling: {} }, 'sampling/createMessage', {}, true],
    [{ sampling: {} }, 'sampling/createMessage', { tools: [] }, false],
    [{ sampling: { tools: {} } }, 'sampling/createMessage', { toolChoice: {} }, true],
    [{ sampling: {} }, 'roots/list', undefined, false],
    [{ roots: {} }, 'roots/list', undefined, true],
    [{ roots: true }, 'roots/list', undefined, false],
    [{ ping: {} }, 'ping', undefined, undefined],
  ] as const) {
    it(`${JSON.stringify(capabilities)} for ${method} ${JSON.stringify(params ?? {})}: ${declared}`, () =>
      assert.equal(declaresMethod(capabilities, method, params), declared));
  }

  it('is answered with the revision that it asks for, if there is such a legacy one', () => {
    assert.deepEqual(['2024-11-05', '2026-07-28', '2024-01-01', 7].map(negotiatedVersion), [
      '2024-11-05',
      '2025-11-25',
      '2025-11-25',
      '2025-11-25',
    ]);
  });

  it('hears what it asks for of the log', () => {
    assert.ok(wantsLogMessage('info', 'info') && wantsLogMessage('info', 'emergency') && !wantsLogMessage('info', 'debug'));
    assert.ok(!wantsLogMessage(undefined, 'emergency') && !wantsLogMessage('info', 'loud'));
  });
});
