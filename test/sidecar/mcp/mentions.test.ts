import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mentionedIn } from '../../../sidecar/mcp/mentions.ts';

describe('names that a text mentions', () => {
  for (const [text, name, mentioned] of [
    ['run delete now', 'delete', true],
    ['Delete.', 'delete', true],
    ['run delete-all', 'delete', true],
    ['server.delete()', 'delete', true],
    ['delete_note', 'delete', false],
    ['undeleted', 'delete', false],
    ['undeleted, then delete', 'delete', true],
    ['see note://a/1.', 'note://a/1', true],
    ['see note://a/12', 'note://a/1', false],
    ['see [x]', '[x]', true],
    ['a[x]b', '[x]', true],
    ['löschen', 'l', false],
    ['DELETE', 'delete', true],
    ['delete', 'Delete', true],
    ['anything', '', false],
    ['', 'delete', false],
  ] as const) {
    it(`${JSON.stringify(name)} is ${mentioned ? '' : 'not '}in ${JSON.stringify(text)}`, () => {
      assert.deepEqual(mentionedIn(text, [name]), mentioned ? [name] : []);
    });
  }
});
