import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import cedar from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import { cedarString, lineOfOffset, splitStatements } from '../../../extauthz/policy/cedar-text.ts';

describe('cutting a file into policies', () => {
  test('strings and comments may hold semicolons and quotes', () => {
    const source = 'permit (a) when { "x;\\";\\\\" };// it\'s ";\n\n  // more\nforbid(b);\r\n// end ;';
    const statements = splitStatements(source);
    assert.deepEqual(
      statements.map(({ text, firstLine, line }) => ({ text, firstLine, line })),
      [
        { text: 'permit (a) when { "x;\\";\\\\" };', firstLine: 1, line: 1 },
        { text: '// it\'s ";\n\n  // more\nforbid(b);', firstLine: 1, line: 4 },
      ],
    );
  });

  test('what stands after the last semicolon is a statement too', () => {
    assert.deepEqual(
      splitStatements('a;\n b').map(({ text }) => text),
      ['a;', '\n b'],
    );
    assert.deepEqual(splitStatements(' \n// nothing\n'), []);
  });

  test('nothing but trailing space and comments is lost', () => {
    const piece = fc.constantFrom('permit', ';', '"', '\\', '//', '\n', '\r', ' ', '{', 'é', '🙂', '"x;"', '// y;\n');
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const source = pieces.join('');
        const kept = splitStatements(source)
          .map(({ text }) => text)
          .join('');
        assert.ok(source.startsWith(kept));
        assert.match(source.slice(kept.length), /^(?:\s|\/\/[^\n\r]*)*$/);
      }),
    );
  });

  test('places are counted in bytes from the start of the statement', () => {
    const [, statement] = splitStatements('a;\n"é🙂"\nx\ny;');
    assert.ok(statement);
    const before = Buffer.from('\n"é🙂"\nx\n').length;
    assert.equal(lineOfOffset(statement, before), 4);
    assert.equal(lineOfOffset(statement, before - 1), 3);
  });
});

test('any name survives the way through a Cedar literal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', size: 'medium' }), (name) => {
      const parsed = cedar.policyToJson(`permit (principal == User::${cedarString(name)}, action, resource);`);
      assert.equal(parsed.type, 'success');
      if (parsed.type === 'success') assert.deepEqual(parsed.json.principal, { op: '==', entity: { type: 'User', id: name } });
    }),
  );
});
