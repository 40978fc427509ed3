import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { authorizationService } from '../../../extauthz/api/envoy-protos.ts';
import { policyService } from '../../../extauthz/api/protos.ts';

/** One protobuf field, written by hand from the protocol's tables, so that a wrong field number cannot hide. */
function field(number: number, value: string | Buffer | number): Buffer {
  if (typeof value === 'number') return Buffer.from([number << 3, ...varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}
function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
const message = (...fields: Buffer[]) => Buffer.concat(fields);

describe('Envoy’s wire format', () => {
  it('is read by the numbers of the protocol', () => {
    const entry = (key: string, value: string | Buffer) => message(field(1, key), field(2, value));
    const http = message(
      field(1, 'req-1'),
      field(2, 'POST'),
      field(3, entry('content-type', 'application/json')),
      field(4, '/mcp?x=1'),
      field(5, 'tickets.example'),
      field(6, 'https'),
      field(7, 'unused query'),
      field(9, 42),
      field(10, 'HTTP/2'),
      field(11, '{}'),
      field(12, Buffer.from([1, 2])),
      field(13, field(1, message(field(1, 'X-Raw'), field(3, Buffer.from('v'))))),
    );
    const metadata = entry('envoy.filters.http.mcp', field(1, entry('method', field(3, 'tools/call'))));
    const attributes = message(
      field(1, field(4, 'spiffe://forged/principal')),
      field(4, message(field(2, http))),
      field(10, entry('sidegate.server', 'tickets')),
      field(11, field(1, metadata)),
    );
    const { attributes: read } = authorizationService.Check.requestDeserialize(field(1, attributes));
    assert.ok(read);
    const { rawBody, headerMap, ...rest } = read.request?.http ?? assert.fail();
    assert.deepEqual(
      { ...rest },
      {
        id: 'req-1',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        path: '/mcp?x=1',
        host: 'tickets.example',
        scheme: 'https',
        size: 42,
        protocol: 'HTTP/2',
        body: '{}',
      },
    );
    assert.deepEqual([...rawBody], [1, 2]);
    assert.equal(Buffer.from(headerMap?.headers[0]?.rawValue ?? []).toString(), 'v');
    assert.deepEqual({ ...read.contextExtensions }, { 'sidegate.server': 'tickets' });
    assert.equal(read.metadataContext?.filterMetadata['envoy.filters.http.mcp']?.fields['method']?.stringValue, 'tools/call');
    assert.equal('source' in read, false, 'a peer’s identity is not even read');
  });

  it('is written by the numbers of the protocol', () => {
    const { responseSerialize } = authorizationService.Check;
    const option = { header: { key: 'a', value: 'b' }, append: { value: false }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' } as const;
    const optionBytes = message(field(1, message(field(1, 'a'), field(2, 'b'))), field(2, field(1, 0)), field(3, 2));
    const dynamicMetadata = { fields: { k: { stringValue: 'v' } } };
    const metadataBytes = field(4, field(1, message(field(1, 'k'), field(2, field(3, 'v')))));
    assert.deepEqual(
      responseSerialize({
        status: { code: 7, message: 'no' },
        deniedResponse: { status: { code: 'Forbidden' }, headers: [option], body: 'x' },
        dynamicMetadata,
      }),
      message(
        field(1, message(field(1, 7), field(2, 'no'))),
        field(2, message(field(1, field(1, 403)), field(2, optionBytes), field(3, 'x'))),
        metadataBytes,
      ),
    );
    assert.deepEqual(
      responseSerialize({ status: { code: 0, message: '' }, okResponse: { headers: [option], headersToRemove: ['c'] }, dynamicMetadata }),
      message(field(1, message(field(1, 0), field(2, ''))), field(3, message(field(2, optionBytes), field(5, 'c'))), metadataBytes),
    );
  });
});

describe('the paths of the services', () => {
  it('are those that clients call', () => {
    assert.deepEqual(
      [...Object.values(policyService), ...Object.values(authorizationService)].map(({ path, requestStream, responseStream }) => [
        path,
        requestStream,
        responseStream,
      ]),
      [
        ['/sidegate.v1.PolicyService/Decide', true, true],
        ['/sidegate.v1.PolicyService/Watch', false, true],
        ['/sidegate.v1.PolicyService/Report', true, true],
        ['/envoy.service.auth.v3.Authorization/Check', false, false],
      ],
    );
  });
});

describe('sidegate.v1', () => {
  it('reads absent fields as nothing, so that a short message denies', () => {
    const response = policyService.Decide.responseDeserialize(Buffer.alloc(0));
    assert.deepEqual([response.effect, response.vary, response.principal, response.setHeaders], ['EFFECT_UNSPECIFIED', null, null, []]);
    const request = policyService.Decide.requestDeserialize(Buffer.alloc(0));
    assert.deepEqual([request.id, request.items, request.params.length, request.userToken], [0, null, 0, '']);
  });

  it('carries times in milliseconds exactly', () => {
    const bytes = policyService.Decide.responseSerialize({
      ...policyService.Decide.responseDeserialize(Buffer.alloc(0)),
      effect: 'ALLOW',
      expiresAtMs: 1_795_257_600_123,
    });
    assert.equal(policyService.Decide.responseDeserialize(bytes).expiresAtMs, 1_795_257_600_123);
  });
});
