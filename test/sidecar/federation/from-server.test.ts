import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fromServer } from '../../../sidecar/federation/from-server.ts';
import { readCases } from '../../cases/mcp/read-cases.ts';

interface Case {
  readonly name: string;
  readonly message: string;
  readonly want?: string;
  readonly modern?: boolean;
  readonly refused?: boolean;
}

describe('messages of a server', () => {
  for (const { name, message, want = message, modern = false, refused = false } of readCases<Case>('../federation/from-server.yaml')) {
    it(name, () => {
      const read = fromServer('s', modern ? 'modern' : 'legacy', Buffer.from(message));
      if (refused) assert.equal(read, undefined);
      else assert.equal(Buffer.from(read?.bytes ?? []).toString(), want);
    });
  }

  it('say nothing else than before, whatever is in them', () => {
    const result = fc.object({
      key: fc.constantFrom('tools', 'name', 'uri', 'content', 'contents', 'resource', 'messages', 'x'),
      maxDepth: 5,
    });
    fc.assert(
      fc.property(result, (value) => {
        const message = { jsonrpc: '2.0', id: 1, result: value };
        const bytes = Buffer.from(JSON.stringify(message));
        const read = fromServer('s', 'legacy', bytes);
        if (read === undefined) return;
        const withoutServer = Buffer.from(read.bytes)
          .toString()
          .replaceAll(/"s[.+]/g, '"');
        assert.equal(withoutServer, bytes.toString().replaceAll(/"s[.+]/g, '"'));
      }),
      { numRuns: 2_000 },
    );
  });
});
