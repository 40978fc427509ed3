import { after, before, describe, it } from 'node:test';
import { assertAllowed, assertDenied, type Checked, callOf, checkRequest, struct, text } from '../support/checked-request.ts';
import { PolicyClient } from '../support/policy-client.ts';
import { type RunningService, startService } from '../support/running-service.ts';
import { userClaims } from '../support/test-issuer.ts';

describe('Envoy Check of a message that might be judged as another one than it is', () => {
  let service: RunningService;
  let proxy: PolicyClient;
  let alice: string;

  before(async () => {
    service = await startService();
    service.writeSecret('tickets/alice', 'alices-secret');
    proxy = await PolicyClient.of(service);
    alice = await service.users.sign(userClaims(service.users));
  });
  after(async () => {
    proxy.close();
    await service.stop();
  });

  const check = (checked: Checked) => proxy.check(checkRequest(checked, alice));

  const allowed = callOf('list_tickets');
  const asText = JSON.stringify(allowed);
  const refused: readonly [string, Checked, string, number, RegExp, unknown?][] = [
    [
      'a body cut short',
      { body: allowed, headers: { 'x-envoy-auth-partial-body': 'true' } },
      'Forbidden',
      4030,
      /allow_partial_message/,
      null,
    ],
    [
      'a body that may be cut short',
      { body: allowed, headers: { 'x-envoy-auth-partial-body': 'false, true' } },
      'Forbidden',
      4030,
      /allow_partial/,
      null,
    ],
    ['no body', { headers: {} }, 'Forbidden', 4030, /enable with_request_body/, null],
    ['two bodies', { body: asText, rawBody: Buffer.from(JSON.stringify(callOf('x'))) }, 'Forbidden', 4030, /two different bodies/, null],
    ['a body longer than shown', { body: allowed, headers: { 'content-length': '9999' } }, 'Forbidden', 4030, /content-length/, null],
    [
      'two lengths',
      { body: allowed, headers: { 'content-length': `${asText.length},${asText.length}` } },
      'Forbidden',
      4030,
      /content-length/,
      null,
    ],
    ['a text that was no UTF-8', { body: asText.replace('list', 'li\uFFFDst') }, 'Forbidden', 4030, /pack_as_bytes/, null],
    ['a compressed body', { body: allowed, headers: { 'content-encoding': 'gzip' } }, 'BadRequest', -32600, /compressed/, null],
    ['another content type', { body: allowed, headers: { 'content-type': 'text/plain' } }, 'BadRequest', -32600, /content-type/, null],
    ['no content type', { body: allowed, headers: { 'content-type': undefined } }, 'BadRequest', -32600, /content-type/, null],
    [
      'another charset',
      { body: allowed, headers: { 'content-type': 'application/json; charset=utf-16' } },
      'BadRequest',
      -32600,
      /content-type/,
      null,
    ],
    [
      'two content types',
      { body: allowed, headers: { 'content-type': 'application/json,text/plain' } },
      'BadRequest',
      -32600,
      /content-type/,
      null,
    ],
    ['no JSON', { body: '{' }, 'BadRequest', -32700, /./, null],
    ['a batch', { body: [allowed] }, 'BadRequest', -32600, /batch/, null],
    ['a doubled key', { body: asText.replace('"name"', '"name":"delete_ticket","name"') }, 'BadRequest', -32700, /./, null],
    ['a key in another case', { body: asText.replace('"name"', '"Name":"delete_ticket","name"') }, 'BadRequest', -32600, /case/],
    ['a call without id', { body: { ...allowed, id: undefined } }, 'BadRequest', -32600, /id/, null],
    ['a call with id null', { body: { ...allowed, id: null } }, 'BadRequest', -32600, /id/, null],
    ['bytes that are not UTF-8', { rawBody: Buffer.concat([Buffer.from(asText), Buffer.from([0xff])]) }, 'BadRequest', -32700, /./, null],
    [
      'an overridden HTTP method',
      { method: 'GET', headers: { 'x-http-method-override': 'POST' } },
      'BadRequest',
      -32600,
      /overridden/,
      null,
    ],
    ['an upgrade', { method: 'GET', headers: { upgrade: 'websocket' } }, 'BadRequest', -32600, /upgrade/, null],
    ['a GET with a body', { method: 'GET', body: allowed }, 'BadRequest', -32600, /no body/, null],
    ['a PUT', { method: 'PUT', body: allowed }, 'BadRequest', -32600, /only POST, GET and DELETE/, null],
    ['a post', { method: 'post', body: allowed }, 'BadRequest', -32600, /only POST/, null],
    ['another Mcp-Method', { body: allowed, headers: { 'mcp-method': 'ping' } }, 'BadRequest', -32020, /mcp-method/],
    ['another Mcp-Name', { body: allowed, headers: { 'mcp-name': 'delete_ticket' } }, 'BadRequest', -32020, /mcp-name/],
    ['an Mcp-Name in another case', { body: allowed, headers: { 'mcp-name': 'LIST_TICKETS' } }, 'BadRequest', -32020, /mcp-name/],
    [
      'another Mcp-Name in base64',
      { body: allowed, headers: { 'mcp-name': '=?base64?ZGVsZXRlX3RpY2tldA==?=' } },
      'BadRequest',
      -32020,
      /mcp-name/,
    ],
    [
      'two Mcp-Names',
      {
        body: allowed,
        headerMap: [
          ['mcp-name', 'list_tickets'],
          ['Mcp-Name', 'delete_ticket'],
        ],
      },
      'BadRequest',
      -32020,
      /more than once/,
    ],
    [
      'an Mcp-Name where there is nothing to name',
      { body: { jsonrpc: '2.0', id: 1, method: 'ping' }, headers: { 'mcp-name': 'x' } },
      'BadRequest',
      -32020,
      /mcp-name/,
    ],
    [
      'a router’s other tool name',
      { body: allowed, headers: { 'x-mcp-toolname': 'delete_ticket' } },
      'BadRequest',
      -32020,
      /x-mcp-toolname/,
    ],
    [
      'another protocol version',
      {
        body: { ...allowed, params: { ...allowed.params, _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } } },
        headers: { 'mcp-protocol-version': '2025-11-25' },
      },
      'BadRequest',
      -32020,
      /mcp-protocol-version/,
    ],
    [
      'another method in the proxy’s metadata',
      { body: allowed, metadata: { 'envoy.filters.http.mcp': struct({ method: text('ping') }) } },
      'BadRequest',
      -32020,
      /another method/,
    ],
    [
      'another name in the proxy’s metadata',
      {
        body: allowed,
        metadata: { 'envoy.filters.http.mcp': struct({ params: { structValue: struct({ name: text('delete_ticket') }) } }) },
      },
      'BadRequest',
      -32020,
      /another target/,
    ],
    [
      'the same in flat metadata',
      { body: allowed, metadata: { mcp_proxy: struct({ 'params.name': text('delete_ticket') }) } },
      'BadRequest',
      -32020,
      /another target/,
    ],
    [
      'a uri in the metadata and none in the message',
      { body: allowed, metadata: { mcp: struct({ 'params.uri': text('file:///x') }) } },
      'BadRequest',
      -32020,
      /another target/,
    ],
    [
      'a body that the proxy did not read to its end',
      {
        body: allowed,
        metadata: { 'envoy.filters.http.mcp': struct({ is_exceeding_limit: { boolValue: true } }) },
      },
      'Forbidden',
      4030,
      /only a part/,
    ],
  ];
  for (const [what, checked, httpStatus, rpcCode, reason, id = 1] of refused) {
    it(`is refused: ${what}`, async () => assertDenied(await check(checked), httpStatus, rpcCode, reason, id));
  }

  const agreeing: readonly [string, Checked][] = [
    ['the same in the headers', { body: allowed, headers: { 'mcp-method': 'tools/call', 'mcp-name': 'list_tickets' } }],
    ['the name in base64', { body: allowed, headers: { 'mcp-name': '=?base64?bGlzdF90aWNrZXRz?=' } }],
    [
      'the same in the metadata',
      {
        body: allowed,
        metadata: {
          'envoy.filters.http.mcp': struct({
            method: text('tools/call'),
            params: { structValue: struct({ name: text('list_tickets') }) },
            is_exceeding_limit: { boolValue: false },
          }),
          'envoy.filters.http.jwt_authn': struct({ method: text('something else') }),
        },
      },
    ],
    ['bytes instead of text', { rawBody: Buffer.from(asText) }],
    ['raw headers', { body: allowed, headerMap: [['Mcp-Name', 'list_tickets']] }],
    ['a content type with charset', { body: allowed, headers: { 'content-type': 'Application/JSON; charset=UTF-8' } }],
    ['no length, as with chunks', { body: allowed, headers: { 'content-length': undefined } }],
  ];
  for (const [what, checked] of agreeing) it(`is judged: ${what}`, async () => assertAllowed(await check(checked)));
});
