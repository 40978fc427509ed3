import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBroker, removedHeaders } from '../../../extauthz/broker/broker.ts';

describe('credential strategy agent', () => {
  it('adds nothing to what the agent shows', async () => {
    const user = { id: 'a', subject: 'a', issuer: 'i', groups: [] };
    const result = await createBroker({ secretsDir: undefined }).issue({ strategy: 'agent' }, user);
    assert.deepEqual(result, { ok: true, value: { setHeaders: [], label: 'agent', expiresAtMs: undefined } });
  });

  it('leaves the agent what is for the server, and takes the rest', () => {
    assert.deepEqual(removedHeaders({ strategy: 'agent' }), ['cookie', 'proxy-authorization', 'x-api-key']);
    assert.deepEqual(removedHeaders({ strategy: 'none' }), ['authorization', 'cookie', 'dpop', 'proxy-authorization', 'x-api-key']);
  });
});
