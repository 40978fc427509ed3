import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { downstreamHeaders, upstreamHeaders } from '../../../sidecar/upstream/headers.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const OBLIGATIONS = {
  setHeaders: [{ name: 'authorization', value: 'Bearer alices-own' }],
  removeHeaders: ['authorization', 'cookie', 'dpop', 'proxy-authorization', 'x-api-key'],
  credential: 'file:alice',
};

describe('upstream request fields', () => {
  it('lets MCP’s own fields through', () => {
    const headers = {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-session-id': 's',
      'mcp-protocol-version': '2025-11-25',
      'mcp-param-region': 'eu',
      'last-event-id': '7',
      'user-agent': 'agent/1',
    };
    const sent = upstreamHeaders(headers, { ...OBLIGATIONS, setHeaders: [] }, TRACEPARENT, 's');
    assert.deepEqual(sent, { ...headers, traceparent: TRACEPARENT });
  });

  it('sends the granted credential and nothing that the agent claims about itself', () => {
    const forged = {
      authorization: 'Bearer stolen',
      cookie: 'session=stolen',
      'proxy-authorization': 'Basic stolen',
      'x-api-key': 'stolen',
      'x-forwarded-user': 'bob',
      'x-forwarded-for': '10.0.0.1',
      forwarded: 'for=10.0.0.1',
      'x-user': 'bob',
      'x-envoy-peer-metadata': 'x',
      'x-sidegate-user': 'bob',
      via: '1.1 x',
      baggage: 'user=bob',
      traceparent: '00-11111111111111111111111111111111-1111111111111111-01',
      connection: 'authorization, mcp-session-id',
      'accept-encoding': 'gzip',
      'mcp-session-id': 'bobs',
      'transfer-encoding': 'chunked',
      expect: '100-continue',
      upgrade: 'h2c',
      host: 'evil.example',
    };
    assert.deepEqual(upstreamHeaders(forged, OBLIGATIONS, TRACEPARENT, undefined), {
      traceparent: TRACEPARENT,
      authorization: 'Bearer alices-own',
    });
  });
});

describe('a credential that the agent brings', () => {
  const brought = {
    authorization: 'Bearer agents-own',
    dpop: 'proof',
    'proxy-authorization': 'Bearer users',
    'x-api-key': 'k',
    cookie: 'c',
  };
  const removeHeaders = ['cookie', 'proxy-authorization', 'x-api-key'];

  it('goes to its server, and nothing else with it, not even when policy forgets to take it away', () => {
    for (const removed of [removeHeaders, []]) {
      const obligations = { setHeaders: [], removeHeaders: removed, credential: 'agent' };
      const sent = upstreamHeaders(brought, obligations, undefined, undefined, true);
      assert.deepEqual(sent, { authorization: 'Bearer agents-own', dpop: 'proof' });
    }
  });

  it('stays here when policy says otherwise than the route, as it may while a bundle changes', () => {
    assert.deepEqual(upstreamHeaders(brought, OBLIGATIONS, undefined, undefined, true), { authorization: 'Bearer alices-own' });
    assert.deepEqual(upstreamHeaders(brought, { ...OBLIGATIONS, setHeaders: [] }, undefined, undefined, true), {});
    assert.deepEqual(upstreamHeaders(brought, { setHeaders: [], removeHeaders, credential: 'agent' }, undefined, undefined, false), {});
  });
});

describe('downstream response fields', () => {
  it('withholds hop-by-hop fields, cookies and challenges', () => {
    const sent = downstreamHeaders(
      {
        'content-type': 'application/json',
        'content-length': '12',
        'mcp-session-id': 's',
        'set-cookie': ['a=b'],
        'www-authenticate': 'Bearer realm="x"',
        connection: 'keep-alive, x-hop',
        'x-hop': '1',
        'keep-alive': 'timeout=5',
        'transfer-encoding': 'chunked',
      },
      false,
      (sessionId) => `sealed-${sessionId}`,
    );
    assert.deepEqual(sent, { 'content-type': 'application/json', 'content-length': '12', 'mcp-session-id': 'sealed-s' });
  });

  it('drops what described the original bytes when the body is rewritten', () => {
    assert.deepEqual(
      downstreamHeaders({ 'content-length': '12', etag: '"x"', 'content-type': 'text/event-stream' }, true, () => undefined),
      {
        'content-type': 'text/event-stream',
      },
    );
  });
});
